module strongroom/bench/go_verifier

go 1.23

require github.com/distributed-lab/enclave-extras/attestation v0.2.0

require (
	github.com/fxamacker/cbor/v2 v2.7.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)
