import { BindGroups } from "./bind_groups.ts";
import { Failures } from "./failures.ts";
import { Memory } from "./memory.ts";
import { createParamsLayout } from "./params.ts";
import { Pipelines } from "./pipelines.ts";
import { Queue, type Tally } from "./queue.ts";

// Training the largest decoder takes 6253. On lavapipe each costs two or three memory mappings, of which Linux allows a
// process 65530: beyond that Mesa 25.0 crashes. Twice as many groups took 43000 mappings.
const MAX_BIND_GROUPS = 1 << 13;

/** A GPUDevice and the parts that operate it, one for each concern. */
export interface Engine {
  readonly gpu: GPUDevice;
  readonly failures: Failures;
  readonly memory: Memory;
  readonly queue: Queue;
  readonly pipelines: Pipelines;
  /** Bind groups of dispatches outside programs. */
  readonly groups: BindGroups;
  readonly paramsLayout: GPUBindGroupLayout;
  readonly tally: Tally;
}

export function createEngine(gpu: GPUDevice): Engine {
  const tally = { dispatches: 0, submits: 0, bindGroups: 0, bytesUploaded: 0, bytesRead: 0 };
  const failures: Failures = new Failures(gpu, () => {
    const { bytes, freeBytes } = memory.use();
    return bytes + freeBytes;
  });
  const memory = new Memory(gpu, failures);
  const paramsLayout = createParamsLayout(gpu);
  const pipelines = new Pipelines(gpu, failures, paramsLayout);
  const groups = new BindGroups(gpu, tally, MAX_BIND_GROUPS);
  void failures.lost.then(() => [pipelines, groups].forEach((cache) => cache.clear())); // caches hold lost objects
  return {
    gpu,
    failures,
    memory,
    queue: new Queue(gpu, failures, tally, paramsLayout),
    pipelines,
    groups,
    paramsLayout,
    tally,
  };
}
