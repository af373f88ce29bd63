// random: Philox4x32-10 words, and uniform and normal numbers made from them.
//
//   words          [count]  u32
//   output         [count]  f32   uniform between low and high, or normal with mean 0 and deviation `high`
//   training_step  [1]      u32   step: in a tensor, so that each run of a captured draw can have another
//
// Element i takes lane i % 4 of philox(counter (i / 4, stream, step, 0), key (seed, 0)): four elements an invocation.
// Normals by Box-Muller from pairs of lanes: equal bits on one device, not across devices (log and cos are the vendor's).
//
// Cost: one write an element; 30 operations a word, and for normals a logarithm and a cosine or sine for each two.

struct Params {
  count: u32,
  seed: u32,
  stream: u32,
  low: f32,
  high: f32,
}

const TURN = 6.283185307179586;

@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<storage, read> training_step: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn draw(i: u32) -> vec4u { return philox(vec4u(i, params.stream, training_step[0], 0u), vec2u(params.seed, 0u)); }

// One invocation per draw of four words.
@compute @workgroup_size(WORKGROUP_SIZE)
fn raw(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let drawn = draw(i);
  for (var lane = 0u; lane < 4u; lane++) {
    if (4u * i + lane < params.count) { words[4u * i + lane] = drawn[lane]; }
  }
}

fn store(i: u32, values: vec4f) {
  for (var lane = 0u; lane < 4u; lane++) {
    if (4u * i + lane < params.count) { output[4u * i + lane] = values[lane]; }
  }
}

// One invocation per draw, of four numbers.
@compute @workgroup_size(WORKGROUP_SIZE)
fn uniform_numbers(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let drawn = draw(i);
  let units = vec4f(unit(drawn.x), unit(drawn.y), unit(drawn.z), unit(drawn.w));
  store(i, mix(vec4f(params.low), vec4f(params.high), units));
}

// One invocation per draw, of four numbers: two pairs by Box and Muller.
@compute @workgroup_size(WORKGROUP_SIZE)
fn normal_numbers(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let drawn = draw(i);
  let radius = sqrt(-2.0 * log(vec2f(unit(drawn.x), unit(drawn.z))));
  let angle = TURN * vec2f(unit(drawn.y), unit(drawn.w));
  store(i, params.high * vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y)));
}
