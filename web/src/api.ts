// The interface, by addresses relative to the page.

import { kept } from "./dom";
import type { Agreement, Asked, Case, CellNumbers, Chart, GeoFeature, Job, Review, Series, Session, Slide, StudyJob, User, Verdict, Worklist } from "./types";

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

const PIECE = 4 << 20; // bytes of an upload that go at once, at most

let reader = "";
let csrf = ""; // what changes carry where somebody is signed in

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

async function fetched(url: string, options: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    const headers = csrf ? { ...options.headers, "X-CSRF-Token": csrf } : options.headers;
    answer = await fetch(url, { ...options, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error("lowpower does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  const detail: unknown = told?.detail;
  throw new Error(typeof detail === "string" ? detail : `lowpower answered ${answer.status}.`);
}

const JSON_TYPE = { "Content-Type": "application/json" };

async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetched(`./v1/${path}`, { method, headers: JSON_TYPE, body: body === undefined ? null : JSON.stringify(body) });
  return (answer.status === 204 ? null : await answer.json()) as T;
}

async function cameIn(told: Promise<Session>): Promise<Session> {
  const session = await told;
  csrf = session.csrf ?? "";
  return session;
}

export const session = (): Promise<Session> => cameIn(fetched("./v1/session").then((answer) => answer.json()));
export const signIn = (name: string, password: string): Promise<Session> => cameIn(send("POST", "session", { name, password }));
export const signOut = (): Promise<null> => send("DELETE", "session");
export const readLink = (secret: string): Promise<{ role: string; user: string | null }> => send("GET", `links/${secret}`);
export const useLink = (secret: string, name: string, password: string): Promise<Session> =>
  cameIn(send("POST", `links/${secret}`, { name, password }));
export const makeLink = (role: string): Promise<{ address: string }> => send("POST", "links", { role });
export const users = (): Promise<User[]> => send("GET", "users");
export const changeUser = (name: string, change: object): Promise<null> => send("PATCH", `users/${encodeURIComponent(name)}`, change);
export const agreement = (blind: boolean): Promise<Agreement> => send("GET", `agreement?blind_only=${blind}`);
export const drift = (): Promise<{ charts: Chart[]; base: number; fit: string | null; without_fit: string[] }> => send("GET", "drift");
export const modelCard = async (name: string): Promise<string> => (await fetched(`./v1/models/${encodeURIComponent(name)}/card`)).text();
export const job = (id: string): Promise<Job> => send("GET", `jobs/${id}`);
export const studies = (): Promise<StudyJob[]> => send("GET", "jobs?kind=study");
export const ask = (path: string, body: object): Promise<unknown> => send("POST", path, body);

export const caseOf = (code: string): Promise<Case> => send("GET", `cases/${encodeURIComponent(code)}`);

export const roots = (): Promise<string[]> => send("GET", "roots");
export const register = (path: string, belongs: string): Promise<{ slide: string }> => send("POST", "slides", { path, case: belongs || null, laboratory: kept.get("laboratory") || null });
export const series = (accession: string, patient: string): Promise<Series[]> =>
  send("GET", `pacs/series?${new URLSearchParams({ accession, patient })}`);
export const fetchSeries = (study: string, series: string, belongs: string): Promise<{ slide: string }> =>
  send("POST", "pacs/fetch", { study, series, case: belongs || null, laboratory: kept.get("laboratory") || null });
export const sendReport = (one: Slide, to: string): Promise<null> => send("POST", `${slide(one.key)}/send`, { to });

export const reportAddress = (one: Slide, form: string): string => address(`${slide(one.key)}/reports/${form}`);

interface Upload {
  id: string;
  received: number;
  size: number;
  piece: number;
}

/** Sends a file in pieces; each carries its checksum where the browser can make one. `files`: of the same slide. */
export async function upload(file: File, files: number, progress: (share: number) => void): Promise<{ slide: string | null; waits_for: string | null }> {
  let told: Upload = await send("POST", "uploads", { name: file.name, size: file.size, files, laboratory: kept.get("laboratory") || null });
  for (let tries = 0; told.received < told.size; ) {
    const piece = await file.slice(told.received, told.received + Math.min(told.piece, PIECE)).arrayBuffer();
    const headers: Record<string, string> = { "Upload-Offset": String(told.received), "Content-Type": "application/octet-stream" };
    if (crypto.subtle) headers["Repr-Digest"] = `sha-256=${base64(await crypto.subtle.digest("SHA-256", piece))}`;
    try {
      told = await (await fetched(`./v1/uploads/${told.id}`, { method: "PATCH", headers, body: piece })).json();
      tries = 0;
    } catch (error) {
      if (++tries > 4) throw error;
      await new Promise((go) => setTimeout(go, 500 * 2 ** tries));
      told = await send("GET", `uploads/${told.id}`);
    }
    progress(told.received / told.size);
  }
  return send("POST", `uploads/${told.id}/complete`);
}

const base64 = (bytes: ArrayBuffer): string => btoa(String.fromCharCode(...new Uint8Array(bytes)));

export const worklist = async (asked: Asked): Promise<Worklist> =>
  (await fetched(address("worklist", { ...asked }))).json();

export const openSlide = async (key: string): Promise<Slide> => (await fetched(address(slide(key)))).json();

export const tileAddress = (one: Slide, level: number, x: number, y: number): string =>
  address(`${slide(one.key)}/tiles/${level}/${x}_${y}.jpg`, { v: one.version, side: one.image!.tile });

export const pictureAddress = (one: Slide, name: string): string =>
  address(`${slide(one.key)}/pictures/${name}`, { v: one.version });

export async function shapes(one: Slide, name: string): Promise<GeoFeature[]> {
  const answer = await fetched(address(`${slide(one.key)}/shapes/${name}`, { v: one.version }));
  return (await answer.json()).features;
}

export const regionsAddress = (one: Slide): string => address(`${slide(one.key)}/regions`);

export const regions = async (one: Slide): Promise<GeoFeature[]> =>
  (await (await fetched(regionsAddress(one))).json()).features;

export async function keepRegions(one: Slide, features: GeoFeature[]): Promise<GeoFeature[]> {
  const body = JSON.stringify({ type: "FeatureCollection", features });
  const headers = { "Content-Type": "application/json" };
  return (await (await fetched(regionsAddress(one), { method: "PUT", headers, body })).json()).features;
}

export async function cells(one: Slide, box: Box, signal: AbortSignal): Promise<Cells> {
  const query = { x: box.x, y: box.y, width: box.width, height: box.height };
  const bytes = await (await fetched(address(`${slide(one.key)}/cells`, query), { signal })).arrayBuffer();
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
  (await fetched(address(`${slide(one.key)}/cells/${number}`))).json();

export async function review(
  one: Slide,
  given: { verdict: Verdict; score: string; comment: string },
): Promise<Review> {
  const body = JSON.stringify({ reader, version: one.version, ...given });
  const headers = { "Content-Type": "application/json" };
  return (await fetched(address(`${slide(one.key)}/reviews`), { method: "POST", headers, body })).json();
}
