// resize: bilinear resampling of an NHWC image to another size.
//
//   input    [N, H, W, C]  pack
//   output   [N, P, Q, C]  pack
//
//   output[n,p,q,c] = sum over h,w of tent(y - h) * tent(x - w) * input[n,h,w,c],   (y, x) clamped to the image
//
// Each output pixel is one position between four input pixels: for enlarging, or shrinking by less than two.
// Definition and the meaning of align_corners: torch.nn.functional.interpolate, mode "bilinear".

// true: corner pixels keep their place, y = p * (H - 1) / (P - 1). false: edges do, y = (p + 1/2) * H / P - 1/2.
override ALIGN_CORNERS: bool = false;

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  packs: u32,       // C / PACK
  out_height: u32,  // P
  out_width: u32,   // Q
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// Position along one axis, in input pixels.
fn position(at: u32, out_extent: u32, extent: u32) -> f32 {
  if (ALIGN_CORNERS) { return f32(at) * (f32(extent - 1u) / f32(max(out_extent, 2u) - 1u)); }
  return clamp((f32(at) + 0.5) * (f32(extent) / f32(out_extent)) - 0.5, 0.0, f32(extent - 1u));
}

fn pixel(n: u32, h: u32, w: u32, c: u32) -> accum {
  return accum(input[((n * params.height + h) * params.width + w) * params.packs + c]);
}

// One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.batch * params.out_height * params.out_width * params.packs) { return; }
  let c = i % params.packs;
  let q = (i / params.packs) % params.out_width;
  let p = (i / params.packs / params.out_width) % params.out_height;
  let n = i / params.packs / params.out_width / params.out_height;
  let y = position(p, params.out_height, params.height);
  let x = position(q, params.out_width, params.width);
  let h = u32(y);
  let w = u32(x);
  let below = min(h + 1u, params.height - 1u);
  let right = min(w + 1u, params.width - 1u);
  let top = mix(pixel(n, h, w, c), pixel(n, h, right, c), x - f32(w));
  let bottom = mix(pixel(n, below, w, c), pixel(n, below, right, c), x - f32(w));
  output[i] = pack(mix(top, bottom, y - f32(h)));
}
