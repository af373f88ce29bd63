// onnxruntime's WebGPU execution provider: `onnxruntime-node` has its own Dawn and takes inputs from the host,
// `onnxruntime-web` runs on the same Dawn as the other libraries with its inputs on the device. Inference only.
import "../dawn.mjs";
import { weightFirst, toChannelsFirst, toChannelsLast, windowFirst } from "../layouts.mjs";
import { Graph } from "../onnx.mjs";

const same = (x) => x;

/** A convolution that keeps the extent, or halves it with TensorFlow's padding. */
function convolved(graph, x, weight, { bias = null, stride = 1, groups = 1, side = null } = {}) {
  const window = weight.shape.slice(2);
  const before = [],
    after = [];
  for (const extent of window) {
    const total = side === null ? extent - 1 : Math.max(0, (Math.ceil(side / stride) - 1) * stride + extent - side);
    before.push(Math.floor(total / 2));
    after.push(total - Math.floor(total / 2));
  }
  const inputs = [x, graph.weight(weight), ...(bias ? [graph.weight(bias)] : [])];
  return graph.node("Conv", inputs, {
    kernel_shape: window,
    pads: [...before, ...after],
    strides: [stride, stride],
    group: groups,
  });
}

const silu = (graph, x) => graph.node("Mul", [x, graph.node("Sigmoid", [x])]);

function block(graph, x, { expand, depthwise, reduce, excite, project, stride, side, isResidual }) {
  const wide = expand ? silu(graph, convolved(graph, x, weightFirst(expand.weight), { bias: expand.bias })) : x;
  const window = windowFirst(depthwise.weight);
  const filtered = silu(
    graph,
    convolved(graph, wide, window, { bias: depthwise.bias, stride, groups: window.shape[0], side }),
  );
  const means = graph.node("GlobalAveragePool", [filtered]);
  const squeezed = silu(graph, convolved(graph, means, weightFirst(reduce.weight), { bias: reduce.bias }));
  const gate = graph.node("Sigmoid", [convolved(graph, squeezed, weightFirst(excite.weight), { bias: excite.bias })]);
  const narrow = convolved(graph, graph.node("Mul", [filtered, gate]), weightFirst(project.weight), {
    bias: project.bias,
  });
  return isResidual ? graph.node("Add", [narrow, x]) : narrow;
}

/** Each graph, its inputs, and the layouts of its outputs. */
const GRAPHS = {
  matmul({ a, b }) {
    const graph = new Graph();
    graph.output(graph.node("MatMul", [graph.input("a", a.shape), graph.weight(b)]), [a.shape[0], b.shape[1]]);
    return { graph, feeds: { a }, from: same };
  },
  pointwise: ({ image, weight }) => convolution(image, weightFirst(weight)),
  conv3x3: ({ image, weight }) => convolution(image, weightFirst(weight)),
  depthwise: ({ image, weight }) => convolution(image, windowFirst(weight), weight.shape[2]),
  gridSample({ image, grid }) {
    const graph = new Graph();
    const feeds = { image: toChannelsFirst(image), grid };
    const inputs = [graph.input("image", feeds.image.shape), graph.input("grid", grid.shape)];
    const [channels, [, rows, columns]] = [image.shape[3], grid.shape];
    graph.output(graph.node("GridSample", inputs, { mode: "bilinear", padding_mode: "zeros", align_corners: 1 }), [
      1,
      channels,
      rows,
      columns,
    ]);
    return { graph, feeds, from: toChannelsLast };
  },
  blur({ image }, { taps }) {
    const graph = new Graph();
    const feed = toChannelsFirst(image);
    const channels = image.shape[3];
    const data = Float32Array.from({ length: channels * taps.length }, (_, i) => taps[i % taps.length]);
    const along = (x, window) => convolved(graph, x, { shape: [channels, 1, ...window], data }, { groups: channels });
    graph.output(along(along(graph.input("image", feed.shape), [taps.length, 1]), [1, taps.length]), feed.shape);
    return { graph, feeds: { image: feed }, from: toChannelsLast };
  },
  smallOperations({ a, b }, { count }) {
    const graph = new Graph();
    const [first, second] = [graph.input("a", a.shape), graph.input("b", b.shape)];
    graph.output(
      Array.from({ length: count }).reduce((x) => graph.node("Add", [x, second]), first),
      a.shape,
    );
    return { graph, feeds: { a, b }, from: same };
  },
  efficientNet({ images }, { stem, blocks, ends }) {
    const graph = new Graph();
    const feed = toChannelsFirst(images);
    const [batch, , side] = feed.shape;
    let x = silu(
      graph,
      convolved(graph, graph.input("images", feed.shape), weightFirst(stem.weight), {
        bias: stem.bias,
        stride: 2,
        side,
      }),
    );
    blocks.forEach((part, i) => {
      x = block(graph, x, part);
      const extent = part.side / part.stride;
      if (ends.includes(i)) graph.output(x, [batch, part.project.weight.shape[3], extent, extent]);
    });
    return { graph, feeds: { images: feed }, from: toChannelsLast };
  },
};

function convolution(image, weight, groups = 1) {
  const graph = new Graph();
  const feed = toChannelsFirst(image);
  graph.output(convolved(graph, graph.input("image", feed.shape), weight, { groups }), [
    1,
    weight.shape[0],
    ...feed.shape.slice(2),
  ]);
  return { graph, feeds: { image: feed }, from: toChannelsLast };
}

/** An input on the runtime's device. */
async function onDevice(ort, { shape, data }) {
  const device = await ort.env.webgpu.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
}

export async function open({ runtime }) {
  const isWeb = runtime === "web";
  const module = await import(isWeb ? "onnxruntime-web/webgpu" : "onnxruntime-node");
  const ort = module.default ?? module;
  ort.env.logLevel = "error";
  if (isWeb) ort.env.wasm.numThreads = 1; // its CPU threads would busy-wait beside the other libraries
  const prepare = (make) => async (inputs, settings) => {
    const { graph, feeds, from } = make(inputs, settings);
    const settled = { executionProviders: ["webgpu"], graphOptimizationLevel: "all", logSeverityLevel: 3 };
    const session = await ort.InferenceSession.create(graph.encode(), {
      ...settled,
      ...(isWeb && { preferredOutputLocation: "gpu-buffer" }),
    });
    const fed = {};
    for (const [name, feed] of Object.entries(feeds))
      fed[name] = isWeb ? await onDevice(ort, feed) : new ort.Tensor("float32", feed.data, feed.shape);
    const run = async () => {
      const results = await session.run(fed);
      return Promise.all(
        session.outputNames.map(async (name) => {
          const { dims: shape } = results[name];
          return { shape, data: isWeb ? await results[name].getData(true) : results[name].data };
        }),
      );
    };
    return { run, outputs: (results) => results.map((result) => from(result).data) };
  };
  const version = ort.env.versions[isWeb ? "web" : "node"];
  return {
    version,
    isNative: !isWeb,
    cases: Object.fromEntries(Object.entries(GRAPHS).map(([name, make]) => [name, prepare(make)])),
  };
}
