// Dawn as a browser's `navigator.gpu`, where the peers look for it, with every buffer counted.
import { create, globals } from "webgpu";

process.env.XDG_RUNTIME_DIR ??= "/tmp"; // Dawn's Vulkan loader wants one to be set
Object.assign(globalThis, globals);

/** Bytes of the buffers that exist, and the most that they have been. */
export const deviceMemory = { bytes: 0, peak: 0 };

const alive = new WeakSet();
const { createBuffer } = GPUDevice.prototype;
GPUDevice.prototype.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  alive.add(buffer);
  deviceMemory.bytes += descriptor.size;
  deviceMemory.peak = Math.max(deviceMemory.peak, deviceMemory.bytes);
  return buffer;
};
const { destroy } = GPUBuffer.prototype;
GPUBuffer.prototype.destroy = function () {
  if (alive.delete(this)) deviceMemory.bytes -= this.size;
  destroy.call(this);
};

// Dawn refuses to upload from memory that threads share, which browsers allow and onnxruntime-web does.
const { writeBuffer } = GPUQueue.prototype;
GPUQueue.prototype.writeBuffer = function (buffer, offset, data, ...part) {
  const memory = ArrayBuffer.isView(data) ? data.buffer : data;
  return writeBuffer.call(this, buffer, offset, memory instanceof SharedArrayBuffer ? data.slice() : data, ...part);
};

export const gpu = create([]);
Object.defineProperty(globalThis, "navigator", {
  value: { userAgent: "node", gpu },
  configurable: true,
  writable: true,
});
