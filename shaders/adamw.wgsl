// adamw: one step of AdamW on one parameter tensor, with the gradient scaled by a factor on the device.
//
//   gradient           [count]  f32
//   factor             [1]      f32   from clip_factor, applied to the gradient
//   weight, m, v       [count]  f32   parameter, first and second moment; updated in place
//   squares            [tensors] f32  sum of squares of each tensor's gradient
//
//   g = factor * gradient
//   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
//   weight = weight (1 - rate * decay) - rate * (m / correction1) / (sqrt(v / correction2) + eps)
//
// Definition: Loshchilov and Hutter, "Decoupled weight decay regularization"; torch.optim.AdamW.

struct Params {
  count: u32,         // elements, or tensors in clip_factor
  rate: f32,
  beta1: f32,
  beta2: f32,
  eps: f32,
  decay: f32,
  correction1: f32,   // 1 - beta1^step
  correction2: f32,   // 1 - beta2^step
  max_norm: f32,      // of all gradients together
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read> squares: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> m: array<f32>;
@group(0) @binding(5) var<storage, read_write> v: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// output[0] = min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. One invocation in all.
@compute @workgroup_size(1)
fn clip_factor() {
  var sum = 0.0;
  for (var i = 0u; i < params.count; i++) { sum += squares[i]; }
  output[0] = min(1.0, params.max_norm / (sqrt(sum) + 1e-6));
}

// One invocation per element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn update(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.count) { return; }
  let g = factor[0] * gradient[i];
  m[i] = params.beta1 * m[i] + (1.0 - params.beta1) * g;
  v[i] = params.beta2 * v[i] + (1.0 - params.beta2) * g * g;
  let step = (m[i] / params.correction1) / (sqrt(v[i] / params.correction2) + params.eps);
  weight[i] = weight[i] * (1.0 - params.rate * params.decay) - params.rate * step;
}
