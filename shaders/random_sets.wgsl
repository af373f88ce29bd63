// random_sets: deals elements into sets at random; the sets' sizes differ by one at most.
//
//   words   [N]   u32   a random word for each element
//   sets    [N]   f32   the set that each element falls into, 0 .. sets - 1
//
//   rank[i] = number of j with words[j] < words[i], or words[j] = words[i] and j < i
//   sets[i] = rank[i] mod sets
//
// The order of random words is a random permutation, of which every set takes each sets-th element. Equal words give equal sets on every
// device: integers alone decide.
// Definition: none but this; the sets are those that RIAD hides one after another.
// Cost: N^2 comparisons, of words that all invocations read at the same time.

struct Params {
  count: u32,   // N
  sets: u32,
}

@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> sets: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.count) { return; }
  let own = words[i];
  var rank = 0u;
  for (var j = 0u; j < params.count; j++) {
    let other = words[j];
    rank += select(0u, 1u, other < own || (other == own && j < i));
  }
  sets[i] = f32(rank % params.sets);
}
