import { filtersFromOihw } from "../../io/nchw.ts";
import { safetensorsHeadBytes, safetensorsLayout, toFloat32, type StoredTensor } from "../../io/safetensors.ts";
import { nonFinite } from "../../nn/weights.ts";
import { InputError } from "../../runtime/errors.ts";
import { countOf, sameShape } from "../../tensor/tensor.ts";
import type { BlockPlan, EfficientNetName, NetworkPlan } from "./architecture.ts";

/** A checkpoint's tensors, read one at a time: it need not be in memory as a whole. */
export interface Checkpoint {
  /** The file's name, for errors. */
  readonly source: string;
  /** Of the file, in hexadecimal digits. */
  readonly sha256: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads a tensor that `shapes` has. */
  readonly read: (name: string) => Promise<StoredTensor>;
}

/** Bytes that can be read from any place: a file on a disk, or one that a page was given. */
export interface ByteSource {
  readonly name: string;
  readonly bytes: number;
  /** Of the whole, in hexadecimal digits. */
  readonly sha256: string;
  /** Fewer bytes than asked for only where the source has become shorter. */
  readonly read: (first: number, bytes: number) => Promise<Uint8Array>;
}

/**
 * A safetensors file of weights, opened: its header is read; each tensor is read when it is asked for.
 * @throws InputError if it is no safetensors file
 */
export async function checkpointFrom({ name, bytes: size, sha256, read }: ByteSource): Promise<Checkpoint> {
  const head = await read(0, safetensorsHeadBytes(await read(0, Math.min(8, size)), size, name));
  const { tensors } = safetensorsLayout(head, size, name);
  return {
    source: name,
    sha256,
    shapes: new Map([...tensors].map(([key, { shape }]) => [key, shape])),
    read: async (key) => {
      const { dtype, shape, first, bytes } = tensors.get(key)!;
      const data = await read(first, bytes);
      if (data.length !== bytes) throw new InputError(`${name} has become shorter while it was read; try again`);
      return { dtype, shape, bytes: data };
    },
  };
}

/** Where a checkpoint keeps a convolution and the norm behind it. */
export interface ConvolutionKeys {
  readonly filters: string;
  /** Prefix of weight, bias, running_mean and running_var. */
  readonly norm: string;
}

export interface BlockKeys {
  /** Absent in blocks that do not expand. */
  readonly expand: ConvolutionKeys | null;
  readonly depthwise: ConvolutionKeys;
  /** Prefixes of weight and bias. */
  readonly reduce: string;
  readonly excite: string;
  readonly project: ConvolutionKeys;
}

/** How a library names a network's tensors. */
interface Naming {
  readonly library: string;
  /** What it adds to a norm's variance. */
  readonly eps: (name: EfficientNetName) => number;
  readonly stem: ConvolutionKeys;
  readonly block: (plan: BlockPlan) => BlockKeys;
}

const doesExpand = ({ inputs, expanded }: BlockPlan): boolean => expanded !== inputs;

const NAMINGS: readonly Naming[] = [
  {
    library: "timm",
    eps: () => 1e-3,
    stem: { filters: "conv_stem.weight", norm: "bn1" },
    block: (plan) => {
      const at = `blocks.${plan.stage}.${plan.indexInStage}`;
      const [first, second, third] = doesExpand(plan) ? ["bn1", "bn2", "bn3"] : ["", "bn1", "bn2"];
      return {
        expand: doesExpand(plan) ? { filters: `${at}.conv_pw.weight`, norm: `${at}.${first}` } : null,
        depthwise: { filters: `${at}.conv_dw.weight`, norm: `${at}.${second}` },
        reduce: `${at}.se.conv_reduce`,
        excite: `${at}.se.conv_expand`,
        project: { filters: doesExpand(plan) ? `${at}.conv_pwl.weight` : `${at}.conv_pw.weight`, norm: `${at}.${third}` },
      };
    },
  },
  {
    library: "torchvision",
    eps: (name) => (["efficientnet-b5", "efficientnet-b6", "efficientnet-b7"].includes(name) ? 1e-3 : 1e-5),
    stem: { filters: "features.0.0.weight", norm: "features.0.1" },
    block: (plan) => {
      const at = `features.${plan.stage + 1}.${plan.indexInStage}.block`;
      const first = doesExpand(plan) ? 1 : 0;
      const unit = (i: number): ConvolutionKeys => ({ filters: `${at}.${i}.0.weight`, norm: `${at}.${i}.1` });
      return {
        expand: doesExpand(plan) ? unit(0) : null,
        depthwise: unit(first),
        reduce: `${at}.${first + 1}.fc1`,
        excite: `${at}.${first + 1}.fc2`,
        project: unit(first + 2),
      };
    },
  },
  {
    library: "efficientnet_pytorch",
    eps: () => 1e-3,
    stem: { filters: "_conv_stem.weight", norm: "_bn0" },
    block: (plan) => {
      const at = `_blocks.${plan.index}`;
      return {
        expand: doesExpand(plan) ? { filters: `${at}._expand_conv.weight`, norm: `${at}._bn0` } : null,
        depthwise: { filters: `${at}._depthwise_conv.weight`, norm: `${at}._bn1` },
        reduce: `${at}._se_reduce`,
        excite: `${at}._se_expand`,
        project: { filters: `${at}._project_conv.weight`, norm: `${at}._bn2` },
      };
    },
  },
];

const SHOWN_PROBLEMS = 3;

/** The tensors that a network has up to some block, by a library's names. */
function shapesOf(naming: Naming, { stem, blocks }: NetworkPlan, lastBlock: number): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const expect = (name: string, shape: readonly number[]): void => void shapes.set(name, shape);
  const expectConvolution = ({ filters, norm }: ConvolutionKeys, shape: readonly [number, number, number, number]): void => {
    expect(filters, shape);
    for (const part of NORM_PARTS) expect(`${norm}.${part}`, [shape[0]]);
  };
  expectConvolution(naming.stem, [stem, 3, 3, 3]);
  for (const block of blocks.slice(0, lastBlock + 1)) {
    const { expand, depthwise, reduce, excite, project } = naming.block(block);
    const { kernel, inputs, expanded, squeezed, outputs } = block;
    if (expand) expectConvolution(expand, [expanded, inputs, 1, 1]);
    expectConvolution(depthwise, [expanded, 1, kernel, kernel]);
    for (const [prefix, shape] of [[reduce, [squeezed, expanded, 1, 1]], [excite, [expanded, squeezed, 1, 1]]] as const) {
      expect(`${prefix}.weight`, shape);
      expect(`${prefix}.bias`, [shape[0]]);
    }
    expectConvolution(project, [outputs, expanded, 1, 1]);
  }
  return shapes;
}

/** A checkpoint of a network whose weights are all 0: for finding out what it takes. */
export function blankCheckpoint(plan: NetworkPlan): Checkpoint {
  const shapes = shapesOf(NAMINGS[0]!, plan, plan.blocks.length - 1);
  const read = (name: string): Promise<StoredTensor> => {
    const shape = shapes.get(name)!;
    return Promise.resolve({ dtype: "F32", shape, bytes: new Uint8Array(4 * countOf(shape)) });
  };
  return { source: "blank weights", sha256: "0".repeat(64), shapes, read };
}

/** A checkpoint that was found to hold a network up to some block, under whatever names. */
export class NetworkCheckpoint {
  readonly eps: number;
  readonly stem: ConvolutionKeys;
  readonly blocks: readonly BlockKeys[];
  readonly #checkpoint: Checkpoint;

  /**
   * @param lastBlock index of the last block that is needed
   * @throws InputError if the names are of no known library, or tensors are missing or of another shape: it names the first few
   */
  constructor(checkpoint: Checkpoint, plan: NetworkPlan, lastBlock: number) {
    const { shapes, source } = checkpoint;
    const naming = NAMINGS.find(({ stem }) => shapes.has(stem.filters));
    if (!naming) {
      const known = NAMINGS.map(({ library, stem }) => `${stem.filters} (${library})`).join(", ");
      throw new InputError(`${source} holds no EfficientNet: none of its ${shapes.size} tensors is ${known}`);
    }
    this.#checkpoint = checkpoint;
    this.eps = naming.eps(plan.name);
    this.stem = naming.stem;
    this.blocks = plan.blocks.slice(0, lastBlock + 1).map((block) => naming.block(block));

    const problems: string[] = [];
    for (const [name, shape] of shapesOf(naming, plan, lastBlock)) {
      const got = shapes.get(name);
      if (!got) problems.push(`${name} [${shape.join(",")}] is missing`);
      else if (!sameShape(got, shape)) problems.push(`${name} is [${got.join(",")}], not [${shape.join(",")}]`);
    }
    if (problems.length > 0) {
      const more = problems.length > SHOWN_PROBLEMS ? `, and ${problems.length - SHOWN_PROBLEMS} more` : "";
      const shown = problems.slice(0, SHOWN_PROBLEMS).join("; ");
      throw new InputError(`${source} does not fit ${plan.name} (names of ${naming.library}): ${shown}${more}`);
    }
  }

  /** A filter, from `[O,I,R,S]` to `[R,S,I,O]`. */
  async filters(name: string): Promise<Float32Array> {
    const shape = this.#checkpoint.shapes.get(name) as readonly [number, number, number, number];
    return filtersFromOihw(await this.values(name), shape);
  }

  /** A norm's weight and bias, and its running mean and variance, each as one array after the other. */
  async norm(prefix: string): Promise<{ readonly affine: Float32Array; readonly running: Float32Array }> {
    const [weight, bias, mean, variance] = await Promise.all(NORM_PARTS.map((part) => this.values(`${prefix}.${part}`)));
    const bad = variance!.findIndex((value) => value < 0);
    if (bad >= 0) {
      const where = `${prefix}.running_var of ${this.#checkpoint.source}`;
      throw new InputError(`${where} holds ${variance![bad]} at element ${bad}: no variance is below 0`);
    }
    return { affine: joined(weight!, bias!), running: joined(mean!, variance!) };
  }

  /** @throws InputError for another dtype than F32, F16 or BF16, or a value that is no finite number */
  async values(name: string): Promise<Float32Array> {
    const which = `${name} of ${this.#checkpoint.source}`;
    const values = toFloat32(await this.#checkpoint.read(name), which);
    const wrong = nonFinite(values);
    if (wrong) throw new InputError(`${which} holds ${wrong}: the file is damaged; fetch it again`);
    return values;
  }
}

const NORM_PARTS = ["weight", "bias", "running_mean", "running_var"] as const;

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
