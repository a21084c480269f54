import { inNode, page } from "./cores.ts";

const fs = (): typeof import("node:fs") => process.getBuiltinModule("node:fs");
const path = (): typeof import("node:path") => process.getBuiltinModule("node:path");

/** What stands between this machine and an accelerator. */
export interface GpuStatus {
  readonly name: "cuda" | "webgpu";
  readonly ready: boolean;
  readonly found: string;
  /** What to do; empty where it is ready. */
  readonly remedy: string;
}

/** Looks for a GPU, its driver and the parts of ONNX Runtime that use it. Starts nothing. */
export const gpuStatus = (): readonly GpuStatus[] => (inNode ? [cudaStatus(), webgpuStatus()] : [pageStatus()]);

const pageStatus = (): GpuStatus =>
  page.navigator.gpu
    ? { name: "webgpu", ready: true, found: "the browser's WebGPU", remedy: "" }
    : { name: "webgpu", ready: false, found: "a browser without WebGPU", remedy: "Needs one that has it, and https." };

const cudaStatus = (): GpuStatus => {
  const driver = fs().existsSync("/proc/driver/nvidia/version") || fs().existsSync("C:\\Windows\\System32\\nvcuda.dll");
  const provider = isFilled(
    path().join(
      binaryFolder(),
      process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so",
    ),
  );
  if (!driver)
    return {
      name: "cuda",
      ready: false,
      found: "no NVIDIA driver",
      remedy: "Needs an NVIDIA GPU with its driver (Linux x64 or Windows x64).",
    };
  if (!provider)
    return {
      name: "cuda",
      ready: false,
      found: "an NVIDIA driver, but ONNX Runtime without its CUDA part",
      remedy:
        "Reinstall with ONNXRUNTIME_NODE_INSTALL=cuda12 (npm rebuild onnxruntime-node), with CUDA 12 and cuDNN 9 on the library path.",
    };
  return { name: "cuda", ready: true, found: "an NVIDIA driver and ONNX Runtime's CUDA part", remedy: "" };
};

/** Windows and macOS bring what it needs (Direct3D 12, Metal); on Linux it is Vulkan: its loader, and a driver's manifest. */
const webgpuStatus = (): GpuStatus => {
  if (process.platform !== "linux")
    return { name: "webgpu", ready: true, found: "ONNX Runtime's WebGPU part", remedy: "" };
  const loader = libraries().some((folder) => fs().existsSync(path().join(folder, "libvulkan.so.1"))),
    driver = DRIVERS.some((folder) => fs().existsSync(folder) && fs().readdirSync(folder).length > 0);
  return loader && driver
    ? { name: "webgpu", ready: true, found: "ONNX Runtime's WebGPU part, and Vulkan with a driver", remedy: "" }
    : {
        name: "webgpu",
        ready: false,
        found: loader ? "Vulkan without a driver" : "no Vulkan loader",
        remedy: "Needs a GPU with its Vulkan driver, and the loader (Debian: libvulkan1, mesa-vulkan-drivers).",
      };
};

const libraries = (): readonly string[] => [
  `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`,
  "/usr/lib64",
  "/usr/lib",
];
const DRIVERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** An empty file only stands in for one that was not downloaded (scripts/preinstall.mjs). */
const isFilled = (path: string): boolean => (fs().statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

const binaryFolder = (): string => {
  try {
    const manifest = process
      .getBuiltinModule("node:module")
      .createRequire(import.meta.url)
      .resolve("onnxruntime-node/package.json");
    return path().join(path().dirname(manifest), "bin", "napi-v6", process.platform, process.arch);
  } catch {
    return "";
  }
};
