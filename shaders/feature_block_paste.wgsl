// feature_block_paste: where and how strongly to disturb features, one irregular block an image.
//
//   mask           [N, H, W]  f32   1 at marked cells, 0 elsewhere
//   paste          [N, H, W]  f32   the block's intensity at marked cells, 0 elsewhere
//   training_step  [1]        u32   step: in a tensor, so that captured draws go on from run to run
//
//   b      = floor(U(0.5, b_max))                     half side of the window
//   I      = U(intensity_low, intensity_high)
//   cx, cy = uniform whole numbers in [b, W-b-1], [b, H-b-1]
//   walk   = from the window's centre, STEPS steps to one of 4 neighbours; each cell stepped on inside the window is marked,
//            steps outside go on but mark nothing
//
// Draws come from philox(counter (draw / 4, image, step, stream), key (seed, 0)); two bits a step of the walk.
// Definition: GRAD, Feature Block Paste.
// Cost: two writes a cell, and about 30 operations for 16 steps.

struct Params {
  batch: u32,           // N
  height: u32,          // H
  width: u32,           // W
  half_max: f32,        // b_max, with 2 floor(b_max) + 1 <= min(H, W)
  intensity_low: f32,
  intensity_high: f32,
  steps: u32,
  seed: u32,
  stream: u32,
}

@group(0) @binding(0) var<storage, read_write> mask: array<f32>;
@group(0) @binding(1) var<storage, read_write> paste: array<f32>;
@group(0) @binding(2) var<storage, read> training_step: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

const DIRECTIONS = array(vec2i(-1, 0), vec2i(1, 0), vec2i(0, -1), vec2i(0, 1));

fn draw(image: u32, index: u32) -> vec4u {
  return philox(vec4u(index, image, training_step[0], params.stream), vec2u(params.seed, 0u));
}

// A whole number in [low, low + count), each as likely but for 2^-23.
fn whole(word: u32, low: u32, count: u32) -> i32 { return i32(low + min(u32(unit(word) * f32(count)), count - 1u)); }

// One invocation per image: it clears its image and walks. Sequential by nature, and short.
@compute @workgroup_size(WORKGROUP_SIZE)
fn walk(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat_index(id, groups);
  if (n >= params.batch) { return; }
  let first = n * params.height * params.width;
  for (var i = first; i < first + params.height * params.width; i++) {
    mask[i] = 0.0;
    paste[i] = 0.0;
  }
  let drawn = draw(n, 0u);
  let half = u32(mix(0.5, params.half_max, unit(drawn.x)));
  let intensity = mix(params.intensity_low, params.intensity_high, unit(drawn.y));
  let centre = vec2i(
    whole(drawn.z, half, params.width - 2u * half),
    whole(drawn.w, half, params.height - 2u * half),
  );
  var offset = vec2i();
  var words = vec4u();
  for (var i = 0u; i < params.steps; i++) {
    if (i % 64u == 0u) { words = draw(n, 1u + i / 64u); }
    offset += DIRECTIONS[(words[i / 16u % 4u] >> (2u * (i % 16u))) & 3u];
    if (all(abs(offset) <= vec2i(i32(half)))) {
      let at = vec2u(centre + offset);
      let cell = first + at.y * params.width + at.x;
      mask[cell] = 1.0;
      paste[cell] = intensity;
    }
  }
}
