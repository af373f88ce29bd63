// gaussian_blur: one pass of a separable Gaussian along H or W, NHWC.
//
//   input    [N, H, W, C]  pack
//   output   [N, H, W, C]  pack
//
//   output[.., i, ..] = sum over d in [-radius, radius] of weight(d) * input[.., edge(i + d), ..]
//   weight(d) = exp(-d^2 / (2 sigma^2)) / sum of the same
//
// Beyond the border the image is mirrored about its outermost pixels (reflect: c b a | a is not repeated: d c b | a b c).
// Definition: torchvision.transforms.functional.gaussian_blur.

// true: along H. false: along W.
override VERTICAL: bool = false;

struct Params {
  batch: u32,   // N
  height: u32,  // H
  width: u32,   // W
  packs: u32,   // C / PACK
  radius: u32,  // less than the extent along the axis
  sigma: f32,   // pixels
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

fn weight(d: i32) -> f32 { return exp(-0.5 * f32(d * d) / (params.sigma * params.sigma)); }

fn reflect_index(at: i32, extent: i32) -> i32 {
  let mirrored = abs(at);
  return select(mirrored, 2 * (extent - 1) - mirrored, mirrored >= extent);
}

// One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.height * params.width * params.packs) { return; }
  let stride = select(params.packs, params.width * params.packs, VERTICAL);
  let extent = select(params.width, params.height, VERTICAL);
  let at = i / stride % extent;
  let line = i - at * stride;
  let radius = i32(params.radius);
  var sum = accum();
  var weights = 0.0;
  for (var d = -radius; d <= radius; d++) {
    let origin = u32(reflect_index(i32(at) + d, i32(extent)));
    sum += weight(d) * accum(input[line + origin * stride]);
    weights += weight(d);
  }
  output[i] = pack(sum / weights);
}
