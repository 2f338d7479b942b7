"""The Python face of the C++ core: bundles, pipelines, videos and the command line. Never imports torch."""
