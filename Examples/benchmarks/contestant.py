"""One runtime with one network in a process of its own: told how often to run, it answers with the times.

    contestant.py RUNTIME MODEL BATCH THREADS CLOCK

CLOCK is `wall`, or `cpu` for the process's processor time. A line `run K` on standard input runs the network K times; the answer is a JSON list of K times in seconds. The first line of output
is a JSON object: what loading took (seconds, from opening the file to the first answer), the process's largest resident set in bytes
before the runtime was imported and after the first answer.
"""

import json
import os
import sys
import time

import numpy as np


def peak_bytes() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def image_shape(path: str, batch: int) -> tuple[int, ...]:
    """The file's name tells one image's."""
    sizes = os.path.basename(path).split("@")[1].split(".")[0]
    return batch, *(int(size) for size in sizes.split("x"))


def onnxruntime(path: str, image: np.ndarray, threads: int):
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as ort

    def load():
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        # A session of one batch size, as the others are.
        options.add_free_dimension_override_by_name("N", len(image))
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        binding.bind_ortvalue_input("input", ort.OrtValue.ortvalue_from_numpy(image))
        # The outputs' shapes are known after a run.
        for output, answer in zip(session.get_outputs(), session.run(None, {"input": image})):
            binding.bind_ortvalue_output(output.name, ort.OrtValue.ortvalue_from_numpy(answer))
        return lambda: session.run_with_iobinding(binding)

    return load


def openvino(path: str, image: np.ndarray, threads: int):
    import openvino as ov

    def load():
        core = ov.Core()
        model = core.read_model(path)
        model.reshape(image.shape)
        settings = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        request.set_input_tensor(ov.Tensor(image, shared_memory=True))

        def run():
            request.start_async()
            request.wait()

        run()
        return run

    return load


def ncnn(path: str, image: np.ndarray, threads: int):
    import ncnn as library

    def load():
        net = library.Net()
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = False
        net.load_param(path)
        net.load_model(path.removesuffix(".param") + ".bin")
        images = [library.Mat(each) for each in image]

        def run():
            # It has no batches.
            for each in images:
                extractor = net.create_extractor()
                extractor.input("in0", each)
                extractor.extract("out0")

        run()
        return run

    return load


def multipoint(path: str, image: np.ndarray, threads: int):
    import multipoint as package
    from multipoint import _library, _tensors

    library = _library.library()

    def load():
        model = package.Model(path)
        session = model.session(maximum_batch=len(image), threads=threads)
        answers = session.run(image)
        # As in C: the tensors are described once.
        source = _tensors.TensorView(image)
        destinations = [_tensors.TensorView(answer) for answer in (answers if isinstance(answers, tuple) else (answers,))]
        inputs, outputs = _tensors.tensor_list([source]), _tensors.tensor_list(destinations)
        handle, call = session._open_handle().pointer, library.multipoint_session_run

        def run():
            if call(handle, inputs, 1, outputs, len(destinations)) != 0:
                raise SystemExit(library.multipoint_last_error().decode())

        run.keeps = (model, session, source, destinations)
        return run

    return load


def main() -> None:
    runtime, path, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:threads])
    image = np.random.default_rng(2).standard_normal(image_shape(path, batch)).astype(np.float32)
    load = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn, "multipoint": multipoint}[runtime](path, image, threads)
    before = peak_bytes()
    start = time.perf_counter()
    run = load()
    run()
    loading = time.perf_counter() - start
    print(json.dumps({"load_seconds": loading, "peak_bytes": peak_bytes(), "imported_bytes": before}), flush=True)
    clock = time.process_time if sys.argv[5] == "cpu" else time.perf_counter
    for line in sys.stdin:
        times = []
        for _ in range(int(line.split()[1])):
            start = clock()
            run()
            times.append(clock() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
