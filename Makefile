# Everything from nothing: `make demo` and `make test` set up what they need. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
BUILD ?= build
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PROMPT ?= a large red circle moving left on a dark background
SEED ?= 7
TYPED ?= -p vidrt
CUDA_TARGET ?= vidrt_gpu_tests
BENCH ?= $(basename $(notdir $(wildcard benchmarks/scenarios/*.json)))
FUZZ_RUNS ?= 20000
FUZZ_SEED ?= 1
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The environments bring ninja; without it CMake falls back to make. ccache is used where it is installed.
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/$(DEMO_VENV)/bin:$(PATH)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
ifneq (,$(shell command -v ccache))
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
# What one checkout compiled is found again by another.
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= true
endif

RUN := $(VENV)/bin/python
SETUP := $(PYTHON) tools/setup_env.py
# Builds in place (own build folder, no network) and leaves compiled parts there for the next time.
PIP_BUILD := -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation
# The C++ tests run the ONNX Runtime of the environment's wheel.
WITH_ORT = VIDRT_ONNXRUNTIME="$$($(RUN) tools/onnxruntime_library.py)"

.PHONY: help setup setup-core deps build build-core demo test test-core test-all test-gpu test-cpp test-python asan tsan fuzz neon \
  neon-build neon-instructions cuda cuda-resources mutate coverage tensorrt-libs wheel bench bench-gpu lock lint typecheck format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

setup: ## Make .venv with everything (torch included), by the hashed lock
	@$(SETUP) --venv $(VENV) --set test

setup-core:
	@$(SETUP) --venv $(VENV) --set core

deps: setup-core ## Fetch the C++ dependencies that the system lacks into .deps
	@$(RUN) tools/deps.py

build: deps ## Build the library, the Python package (editable), the examples and the C++ tests
	@echo "build: $(BUILD)/dev"
	@$(RUN) $(PIP_BUILD) --config-settings build-dir=$(BUILD)/dev --config-settings cmake.define.VIDRT_BUILD_TESTS=ON \
	  --config-settings cmake.define.VIDRT_BUILD_EXAMPLES=ON --editable .

demo: ## Generate a video from a prompt with the shipped model (PROMPT="..." SEED=n); needs no torch
	@$(SETUP) --venv $(DEMO_VENV) --set demo
	@$(DEMO_VENV)/bin/python tools/deps.py
	@echo "build: $(BUILD)/demo"
	@$(DEMO_VENV)/bin/python $(PIP_BUILD) --config-settings build-dir=$(BUILD)/demo --config-settings build.targets=_core .
	@mkdir -p outputs
	@$(DEMO_VENV)/bin/vidrt generate "$(PROMPT)" --seed $(SEED) --bundle models/pocket --output outputs/demo.mp4
	@echo "demo: the video is $(CURDIR)/outputs/demo.mp4"

.PHONY: images
images: setup build ## Make the pictures of the READMEs with the shipped model
	@$(RUN) tools/readme_images.py "$(PROMPT)" $(SEED)

test: setup ## All C++ and Python tests, torch, export and parity included
	@$(MAKE) build lint test-cpp
	@$(MAKE) test-python TESTS="tests"

test-core: build ## The tests that need no torch
	@$(MAKE) lint TYPED="-p vidrt.engine"
	@$(MAKE) test-cpp
	@$(MAKE) test-python TESTS="tests --ignore=tests/export"

tensorrt-libs: setup ## Fetch TensorRT's libraries (690 MB, x86-64) into a cache folder, for the tests of its plugins
	@$(RUN) tools/tensorrt_libs.py

test-cpp:
	@$(WITH_ORT) ctest --test-dir $(BUILD)/dev --output-on-failure --no-tests=error --parallel $(JOBS)

# Most of the time goes to tracing models, which is Python of one thread: the tests are dealt out to processes.
test-python:
	@OMP_NUM_THREADS=1 $(RUN) -m pytest $(TESTS) -m "not slow and not gpu" --numprocesses $(JOBS) --dist worksteal

test-all: test cuda asan tsan fuzz mutate neon wheel ## Everything: adds nvcc, sanitizers, fuzzing, seeded faults, long cycles, the wheel
	@$(RUN) -m pytest tests -m slow
	@$(MAKE) test-gpu

neon: setup-core ## The kernel and runtime tests for 64-bit Arm, cross-compiled, under qemu; skips where those are missing
	@if ! command -v aarch64-linux-gnu-g++ qemu-aarch64-static >/dev/null; then \
	  echo "neon: skipped: g++-aarch64-linux-gnu and qemu-user-static are not installed (apt install both)"; \
	else $(MAKE) neon-build && ctest --preset aarch64 --parallel $(JOBS); fi

neon-build:
	@mkdir -p $(BUILD)
	@CMAKE_TOOLCHAIN_FILE=$(CURDIR)/csrc/cmake/aarch64-linux-gnu.cmake $(RUN) tools/deps.py --dir .deps-aarch64
	@cmake --preset aarch64 >$(BUILD)/aarch64.log || { cat $(BUILD)/aarch64.log; exit 1; }
	@cmake --build --preset aarch64 --target test_programs vidrt_kernel_once

neon-instructions: setup-core neon-build ## Count the instructions of the NEON kernels beside plain loops; writes benchmarks/NEON.md
	@$(RUN) benchmarks/neon_instructions.py

cuda: setup deps ## Compile the CUDA kernels and their GPU tests (no GPU needed); a spilled register is an error
	@mkdir -p $(BUILD)
	@echo "build: $(BUILD)/cuda"
	@cmake --preset cuda >$(BUILD)/cuda.log || { cat $(BUILD)/cuda.log; exit 1; }
	@cmake --build --preset cuda --target $(CUDA_TARGET)

cuda-resources: setup ## Count what each CUDA kernel takes (registers, spills; no GPU); writes benchmarks/CUDA_RESOURCES.md
	@$(RUN) tools/cuda_resources.py --write

# The Python tests take the libraries of the CUDA build, which lie in one folder; `make build` makes none of them.
test-gpu: build ## The tests that need a GPU; they skip with the reason where there is none
	@$(MAKE) cuda CUDA_TARGET="vidrt_gpu_tests vidrt_gpu_libraries"
	@ctest --test-dir $(BUILD)/cuda --label-regex '^gpu$$' --no-tests=error --verbose
	@VIDRT_LIBRARY_DIR="$(abspath $(BUILD))/cuda/csrc" $(RUN) -m pytest tests -m gpu --capture=no

asan: ## The C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer
tsan: ## The C++ tests under ThreadSanitizer
asan tsan: deps
	@mkdir -p $(BUILD)
	@echo "build: $(BUILD)/$@"
	@cmake --preset $@ >$(BUILD)/$@.log || { cat $(BUILD)/$@.log; exit 1; }
	@cmake --build --preset $@ --target test_programs
	@$(WITH_ORT) ctest --preset $@ --parallel $(JOBS)

fuzz: deps ## Fuzz the readers of untrusted files under AddressSanitizer (FUZZ_RUNS=20000 inputs each)
	@mkdir -p $(BUILD)
	@cmake --preset asan >$(BUILD)/asan.log || { cat $(BUILD)/asan.log; exit 1; }
	@cmake --build --preset asan --target fuzz_targets
	@for target in $(BUILD)/asan/tests/fuzz/*_fuzz; do \
	  name=$$(basename $$target _fuzz); \
	  $$target --runs $(FUZZ_RUNS) --seed $(FUZZ_SEED) tests/fuzz/corpus/$$name; \
	done

mutate: build ## Plant ten faults, one at a time; the tests must catch each
	@$(WITH_ORT) $(RUN) tools/mutate.py

coverage: deps ## Line coverage of csrc/runtime and engine; fails under 85 %
	@$(SETUP) --venv $(VENV) --set test
	@$(MAKE) build
	@$(WITH_ORT) $(RUN) tools/coverage_report.py

wheel: deps ## Build the wheel into dist/, check it, and test it and an install prefix away from the source
	@rm -rf dist
	@$(RUN) -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
	  --config-settings build-dir=$(BUILD)/wheel --config-settings build.targets=_core --wheel-dir dist .
	@$(RUN) tools/check_wheel.py dist
	@$(RUN) -m pytest tests/packaging

bench: setup build ## Run all benchmarks on a machine that does nothing else (BENCH="NAME ..." for some scenarios)
	@$(RUN) -m pip install --quiet --disable-pip-version-check "openvino>=2025"
	@for name in $(BENCH); do \
	  $(VENV)/bin/vidrt bench run benchmarks/scenarios/$$name.json --output benchmarks/results/$$name.json; \
	done
	@$(MAKE) bench-report
	@$(RUN) benchmarks/operators.py
	@$(RUN) benchmarks/depthwise.py

.PHONY: bench-report
bench-report: ## Write benchmarks/RESULTS.md from benchmarks/results
	@$(VENV)/bin/vidrt bench report benchmarks/results/*.json --output benchmarks/RESULTS.md --title "$$(cat benchmarks/RESULTS_TITLE.md)"

bench-gpu: setup ## Time the CUDA kernels beside PyTorch, cuDNN and TensorRT on this machine's GPU; fails without one
	@$(RUN) benchmarks/gpu_depthwise.py --check
	@$(MAKE) cuda CUDA_TARGET=vidrt_gpu_bench
	@$(RUN) benchmarks/gpu_depthwise.py --library $(BUILD)/cuda/tests/gpu/libvidrt_gpu_bench.so

lock: setup ## Resolve requirements/*.txt anew
	@$(RUN) tools/lock.py --upgrade

lint: setup-core ## Check the style of Python and the types of the package
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(MAKE) typecheck

# The folders engine/ and export/ are imported as vidrt.engine and vidrt.export; mypy sees them so through links.
typecheck:
	@mkdir -p $(BUILD)/typing/vidrt
	@ln -sfn $(CURDIR)/engine $(BUILD)/typing/vidrt/engine
	@ln -sfn $(CURDIR)/export $(BUILD)/typing/vidrt/export
	@ln -sf $(CURDIR)/python/vidrt/* $(BUILD)/typing/vidrt/
	@MYPYPATH=$(BUILD)/typing $(RUN) -m mypy $(TYPED)
	@$(RUN) -m mypy tools
	@if $(RUN) -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'; then \
	  MYPYPATH=$(BUILD)/typing $(RUN) -m mypy benchmarks; \
	else echo "typecheck: benchmarks were left out: their types are torch's, which is not installed (make setup)"; fi

format: setup-core ## Format Python (ruff) and C++ (clang-format, where installed)
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .
	@if command -v clang-format >/dev/null; then git ls-files '*.h' '*.cpp' '*.c' | xargs clang-format -i; \
	  else echo "format: clang-format is not installed; C++ was left as it is"; fi

clean: ## Remove builds and outputs; environments and fetched dependencies stay
	@rm -rf $(BUILD) dist outputs coverage .coverage* .mypy_cache .ruff_cache .pytest_cache
