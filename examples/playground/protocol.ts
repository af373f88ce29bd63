import type { BackboneName } from "../../src/backbones/registry.ts";
import type { Calibration } from "../../src/detection/calibration.ts";
import type { Inspection } from "../../src/detection/inspection.ts";

/** A picture that the user chose, filmed or had made. */
export interface Picture {
  /** Its path where it came with a folder: "good" in it says that a picture to inspect is known to be good. */
  readonly name: string;
  readonly file: Blob;
}

/** Settings of a training; small enough to be kept beside its pictures. */
export interface TrainingChoice {
  readonly backbone: BackboneName;
  /** Side of the square that pictures are resized to, pixels. */
  readonly inputSize: number;
  readonly seed: number;
}

/** A request from the page to the worker. A reply with an `id` answers the request with the same `id`. */
export type Request =
  | { readonly kind: "open" }
  | { readonly kind: "samples" }
  | { readonly kind: "weights"; readonly name: BackboneName; readonly file: Blob | null }
  | { readonly kind: "train"; readonly pictures: readonly Picture[]; readonly choice: TrainingChoice }
  | { readonly kind: "resume" }
  | { readonly kind: "stop" }
  | { readonly kind: "inspect"; readonly id: number; readonly image: Blob | ImageBitmap }
  | { readonly kind: "save" }
  | { readonly kind: "load"; readonly file: Blob; readonly name: string }
  | { readonly kind: "forget" }
  | { readonly kind: "lose" };

/** A training that was left: by a closed tab, a lost device, or by hand. */
export interface LeftTraining {
  readonly pictures: number;
  /** Steps taken. */
  readonly taken: number;
  readonly choice: TrainingChoice;
}

/** A detector that can inspect. */
export interface Ready {
  readonly calibration: Calibration;
  /** Scores of good pictures that it was not trained on; none where it came from a file. */
  readonly good: readonly number[];
}

/** The detector's result for a picture. */
export interface Inspected extends Inspection {
  readonly id: number;
}

export type Trouble = "unsupported" | "lost" | "memory" | "input";

/** A message from the worker to the page. */
export type Reply =
  | {
      readonly kind: "opened";
      readonly adapter: string;
      readonly software: boolean;
      readonly left: LeftTraining | null;
    }
  | { readonly kind: "samples"; readonly good: readonly Picture[]; readonly test: readonly Picture[] }
  | { readonly kind: "weights"; readonly name: BackboneName; readonly done: number; readonly total: number }
  | { readonly kind: "features"; readonly done: number; readonly total: number }
  | {
      readonly kind: "step";
      readonly stage: string;
      /** The stage's title, for people. */
      readonly title: string;
      readonly epoch: number;
      readonly step: number;
      readonly steps: number;
      readonly taken: number;
      readonly model: number;
      readonly models: number;
      readonly loss: number | null;
      readonly secondsLeft: number;
    }
  | { readonly kind: "kept"; readonly taken: number }
  | { readonly kind: "stopped"; readonly left: LeftTraining }
  | ({ readonly kind: "ready" } & Ready)
  | ({ readonly kind: "inspected" } & Inspected)
  | { readonly kind: "refused"; readonly id: number; readonly message: string }
  | { readonly kind: "model"; readonly file: Blob }
  | { readonly kind: "failed"; readonly trouble: Trouble; readonly message: string };
