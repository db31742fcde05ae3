// What the interface answers: mirrors src/lowpower/serve/_desk.py.

export type State = "referred" | "issued" | "measured" | "refused" | "failed" | "hidden";
export type Answered = "yes" | "no" | "undetermined";
export type Verdict = "agree" | "other score" | "cannot score";

export interface Review {
  time: string;
  reader: string;
  verdict: Verdict;
  score: string;
  comment: string;
  answered: string;
  blind: boolean;
}

export interface Row {
  key: string;
  name: string;
  marker: string | null;
  state: State;
  score: string | null;
  probability: number | null;
  measured: string | null;
  cutoffs: { question: string; answer: Answered }[];
  reason: string | null;
  review: Review | null;
}

export interface Worklist {
  folder: string;
  blind: boolean;
  reviews: boolean;
  version: string;
  notice: string;
  rows: Row[];
}

export interface Image {
  width: number;
  height: number;
  mpp: number | null;
  tile: number;
  top_level: number;
}

export interface CellClass {
  name: string;
  colour: string;
}

export interface Cutoff {
  question: string;
  answer: Answered;
  probability: number | null;
  error: number | null;
}

export interface Flag {
  code: string;
  message: string;
  effect: "note" | "warn" | "refuse";
  area_mm2: number | null;
  box: [number, number, number, number] | null;
}

/** The record, as far as the page reads it. */
export interface SlideRecord {
  file: string;
  reason: string | null;
  reasons?: string[];
  software_version: string;
  scheme?: string | null;
  answer?: {
    likeliest: string;
    probabilities: Record<string, number>;
    by: string;
    cutoffs: Cutoff[];
  } | null;
  probabilities?: Record<string, number> | null;
  measured?: {
    sentence: string;
    shares: Record<string, number> | null;
    tumour_cells: number;
    percent: number | null;
    h_score: number | null;
    laboratory: string | null;
    notes: string[];
  } | null;
  agreement?: { sentence: string } | null;
  qc?: { area_mm2: number; pieces: number; stain: string; white_point_source: string; flags: Flag[] } | null;
  model?: { name: string; version: string; trained_on: string } | null;
  mpp: number | null;
  mpp_source: string | null;
  view_mpp?: number | null;
  regions?: { file: string } | null;
  control: string;
  slide_sha256: string | null;
}

export interface Slide {
  key: string;
  name: string;
  marker: string | null;
  state: State;
  version: string;
  image: Image | null;
  missing: string | null;
  headline: string | null;
  promise: string | null;
  cutoffs: string[];
  record: SlideRecord | null;
  pictures: string[];
  shapes: string[];
  cells: CellClass[];
  answered: string;
  choices: string[];
  reviews: Review[];
  notice: string;
}

export interface CellNumbers {
  class: string;
  kind: string;
  counted: boolean;
  numbers: Record<string, number>;
}

export interface GeoFeature {
  type: "Feature";
  geometry: { type: "Polygon" | "MultiPolygon"; coordinates: number[][][] | number[][][][] };
  properties: { classification?: { name: string; color?: [number, number, number] } };
}
