// The interface, by addresses relative to the page.

import type { CellNumbers, GeoFeature, Review, Slide, Verdict, Worklist } from "./types";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Cells of a box: as many as `x` has, of `total` that lie there. */
export interface Cells {
  total: number;
  x: Float32Array;
  y: Float32Array;
  radius: Float32Array;
  number: Uint32Array;
  kind: Uint8Array;
}

let reader = "";

export function readAs(name: string): void {
  reader = name;
}

function address(path: string, query: Record<string, string | number> = {}): string {
  const asked = new URLSearchParams();
  if (reader) asked.set("reader", reader);
  for (const [name, value] of Object.entries(query)) asked.set(name, String(value));
  const text = asked.toString();
  return `./v1/${path}${text ? `?${text}` : ""}`;
}

const slide = (key: string) => `slides/${encodeURIComponent(key)}`;

async function ask(url: string, options?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error("lowpower does not answer: is `lowpower view` still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  const detail: unknown = told?.detail;
  throw new Error(typeof detail === "string" ? detail : `lowpower answered ${answer.status}.`);
}

export const worklist = async (): Promise<Worklist> => (await ask(address("worklist"))).json();

export const openSlide = async (key: string): Promise<Slide> => (await ask(address(slide(key)))).json();

export const tileAddress = (one: Slide, level: number, x: number, y: number): string =>
  address(`${slide(one.key)}/tiles/${level}/${x}_${y}.jpg`, { v: one.version });

export const pictureAddress = (one: Slide, name: string): string =>
  address(`${slide(one.key)}/pictures/${name}`, { v: one.version });

export async function shapes(one: Slide, name: string): Promise<GeoFeature[]> {
  const answer = await ask(address(`${slide(one.key)}/shapes/${name}`, { v: one.version }));
  return (await answer.json()).features;
}

export const regionsAddress = (one: Slide): string => address(`${slide(one.key)}/regions`);

export const regions = async (one: Slide): Promise<GeoFeature[]> =>
  (await (await ask(regionsAddress(one))).json()).features;

export async function keepRegions(one: Slide, features: GeoFeature[]): Promise<GeoFeature[]> {
  const body = JSON.stringify({ type: "FeatureCollection", features });
  const headers = { "Content-Type": "application/json" };
  return (await (await ask(regionsAddress(one), { method: "PUT", headers, body })).json()).features;
}

export async function cells(one: Slide, box: Box, signal: AbortSignal): Promise<Cells> {
  const query = { x: box.x, y: box.y, width: box.width, height: box.height };
  const bytes = await (await ask(address(`${slide(one.key)}/cells`, query), { signal })).arrayBuffer();
  const [count = 0, total = 0] = new Uint32Array(bytes, 0, 2);
  const at = (column: number) => 8 + 4 * count * column;
  return {
    total,
    x: new Float32Array(bytes, at(0), count),
    y: new Float32Array(bytes, at(1), count),
    radius: new Float32Array(bytes, at(2), count),
    number: new Uint32Array(bytes, at(3), count),
    kind: new Uint8Array(bytes, at(4), count),
  };
}

export const cell = async (one: Slide, number: number): Promise<CellNumbers> =>
  (await ask(address(`${slide(one.key)}/cells/${number}`))).json();

export async function review(
  key: string,
  given: { verdict: Verdict; score: string; comment: string },
): Promise<Review> {
  const body = JSON.stringify({ reader, ...given });
  const headers = { "Content-Type": "application/json" };
  return (await ask(address(`${slide(key)}/reviews`), { method: "POST", headers, body })).json();
}
