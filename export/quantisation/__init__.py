"""Linear layers with weights of eight bits: half the memory of fp16, computed in fp32."""
