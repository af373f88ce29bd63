// activation: a function of one variable, applied to every element, and its derivative.
//
//   input        [count]  pack
//   grad_output  [count]  pack
//   output       [count]  pack   f(input)
//   grad_input   [count]  pack   grad_output * f'(input)
//
// At the kinks of relu, relu6, hsigmoid and hswish the derivative is the one PyTorch takes: that of the flat side.

// 0 relu  1 relu6  2 hsigmoid  3 hswish  4 sigmoid  5 silu  6 tanh  7 sqrt
override FUNCTION: u32 = 0;

struct Params {
  packs: u32,  // count / PACK
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grad_output: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<pack>;
@group(0) @binding(3) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

fn sigmoid(x: accum) -> accum { return 1.0 / (1.0 + exp(-x)); }

// tanh itself overflows in its exponentials for large arguments on some drivers.
fn tanh_of(x: accum) -> accum { return tanh(clamp(x, accum(-10.0), accum(10.0))); }

fn value_of(x: accum) -> accum {
  switch (FUNCTION) {
    case 0u: { return max(x, accum(0.0)); }
    case 1u: { return clamp(x, accum(0.0), accum(6.0)); }
    case 2u: { return clamp(x + 3.0, accum(0.0), accum(6.0)) / 6.0; }
    case 3u: { return x * clamp(x + 3.0, accum(0.0), accum(6.0)) / 6.0; }
    case 4u: { return sigmoid(x); }
    case 5u: { return x * sigmoid(x); }
    case 6u: { return tanh_of(x); }
    default: { return sqrt(x); }
  }
}

fn slope_of(x: accum) -> accum {
  let zero = accum(0.0);
  let one = accum(1.0);
  switch (FUNCTION) {
    case 0u: { return select(zero, one, x > zero); }
    case 1u: { return select(zero, one, (x > zero) & (x < accum(6.0))); }
    case 2u: { return select(zero, accum(1.0 / 6.0), (x > accum(-3.0)) & (x < accum(3.0))); }
    case 3u: { return select(select(x / 3.0 + 0.5, one, x >= accum(3.0)), zero, x <= accum(-3.0)); }
    case 4u: { let s = sigmoid(x); return s * (1.0 - s); }
    case 5u: { let s = sigmoid(x); return s * (1.0 + x * (1.0 - s)); }
    case 6u: { let t = tanh_of(x); return 1.0 - t * t; }
    default: { return 0.5 / sqrt(x); }
  }
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  output[i] = pack(value_of(accum(input[i])));
}

// One invocation per pack. Recomputes f from the input, so nothing but the input is kept for it.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  grad_input[i] = pack(accum(grad_output[i]) * slope_of(accum(input[i])));
}
