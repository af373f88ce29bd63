// dropout: sets random elements to zero and scales the others up, which keeps the expected value.
//
//   input          [count]  pack   or the gradient of the output: the gradient of the input is the same function of it
//   output         [count]  pack
//   training_step  [1]      u32    step: in a tensor, so that each run of a captured draw can have another
//
//   output[i] = input[i] / (1 - probability) if u(i) >= probability, else 0
//   u(i) uniform in (0, 1): lane i % 4 of philox(counter (i / 4, stream, step, 0), key (seed, 0)), as random.wgsl's
//
// The draw depends on the element's index alone, so the backward pass draws it again and no mask is stored.
// Cost: one read and one write an element, and 30 operations for the random word.
// Definition: torch.nn.functional.dropout.

struct Params {
  count: u32,
  seed: u32,
  stream: u32,
  probability: f32,
  scale: f32,        // 1 / (1 - probability)
}

@group(0) @binding(0) var<storage, read> input: array<elem>;
@group(0) @binding(1) var<storage, read_write> output: array<elem>;
@group(0) @binding(2) var<storage, read> training_step: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per four elements, for which it draws once.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let four = flat_index(id, groups);
  let words = philox(vec4u(four, params.stream, training_step[0], 0u), vec2u(params.seed, 0u));
  for (var lane = 0u; lane < 4u; lane++) {
    let i = 4u * four + lane;
    if (i < params.count) {
      output[i] = elem(select(0.0, f32(input[i]) * params.scale, unit(words[lane]) >= params.probability));
    }
  }
}
