declare module "*.wgsl" {
  const module: import("./wgsl.ts").WgslModule;
  export default module;
}
