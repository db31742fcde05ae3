// What the interface answers: mirrors src/lowpower/serve/_desk.py.

export type State = "referred" | "issued" | "measured" | "refused" | "failed" | "hidden" | "waiting" | "running" | "cancelled" | "unscored";
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
  progress: number | null;
  case: string | null;
  reading: string;
}

/** Who is signed in; `service` is null where nobody has to be. */
export interface Session {
  service: string | null;
  notice: string;
  name: string | null;
  role: string | null;
  csrf: string | null;
  provider: string | null;
  offers: string[];
}

/** A whole-slide series of the picture archive. */
export interface Series {
  study: string;
  series: string;
  instances: number | null;
  date: string;
}

export interface Job {
  id: string;
  slide: string | null; // null of a study
  kind?: string; // of a folder's every job scores
  state: string;
  progress: number | null;
  reason?: string | null;
}

/** A job that runs a study. */
export interface StudyJob extends Job {
  by: string;
  created: string;
  asked: { study: string };
}

export interface User {
  name: string;
  role: string;
  disabled: boolean;
}

/** What of the worklist is asked for, where the server searches. */
export interface Asked {
  search: string;
  show: string;
  sort: string;
  cursor: string;
  limit: number;
}

export interface Worklist {
  folder: string;
  blind: boolean;
  reviews: boolean;
  version: string;
  notice: string;
  rows: Row[];
  scores: boolean;
  paged: boolean;
  total: number | null;
  or_more?: boolean;
  reviewed: number | null;
  next: string | null;
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
  state: string;
  reason: string | null;
  reason_code: string | null;
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
    marker: string;
    sentence: string;
    shares: Record<string, number> | null;
    tumour_cells: number;
    percent: number | null;
    h_score: number | null;
    laboratory: string | null;
    notes: string[];
    reading: { sentence: string; boxes: [number, number, number, number][] } | null;
  } | null;
  agreement?: { sentence: string } | null;
  qc?: { area_mm2: number; pieces: number; stain: string; white_point_source: string; flags: Flag[] } | null;
  model?: { name: string; version: string; trained_on: string } | null;
  mpp: number | null;
  mpp_source: string | null;
  view_mpp?: number | null;
  regions?: { counted: Record<string, number>; area_mm2: number } | null;
  control: string;
  slide_sha256: string | null;
}

/** A result that gave way to another. */
export interface Earlier {
  headline: string;
  written: string;
  regions: Record<string, number> | null;
  control: string;
}

/** A measurement made after the model's answer. */
export interface MeasuredSince extends Earlier {
  sentence: string;
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
  earlier: Earlier[];
  measured_since: MeasuredSince | null;
  waiting: string | null;
  progress: number | null;
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

/** A case: its slides, and the subtype that they give together. */
export interface Case {
  case: string;
  subtype: string;
  missing: string;
  slides: { slide: string; marker: string; score: string; by: string; missing: string }[];
}

export interface Share {
  value: number;
  low: number;
  high: number;
  of: number;
}

export interface Pair {
  first: string;
  second: string;
  slides: number;
  kappa: number | null;
  confusion: number[][];
  cutoffs: { cutoff: string; positive: Share | null; negative: Share | null }[];
}

export interface Agreement {
  scores: string[];
  readers_model: Pair[];
  by_month: Pair[];
  by_scanner: Pair[];
  by_laboratory: Pair[];
  readers: Pair[];
}

export interface Chart {
  name: string;
  limits: "first results" | "fit";
  points: { month: string; value: number; of: number; low: number; high: number; outside: boolean }[];
}
