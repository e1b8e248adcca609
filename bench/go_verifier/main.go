// SPDX-License-Identifier: Apache-2.0

// The peer of `make bench`: a verifier of Nitro Enclaves documents written in Go, driven over standard input.
//
// It takes files as arguments, verifies each once, and prints one line of JSON: the reason for each that it refuses,
// an empty string for each that it accepts. Then it reads lines with a number of passes, verifies what it accepted that
// many times, and prints the CPU seconds that one document took, garbage collection included.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/distributed-lab/enclave-extras/attestation"
)

func verify(document []byte) error {
	parsed, err := attestation.ParseNSMAttestationDoc(document)
	if err != nil {
		return err
	}
	return parsed.Verify()
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	verdicts := map[string]string{}
	var accepted [][]byte
	for _, name := range os.Args[1:] {
		document, err := os.ReadFile(name)
		if err != nil {
			fail(err)
		}
		if err := verify(document); err != nil {
			verdicts[name] = err.Error()
			continue
		}
		verdicts[name] = ""
		accepted = append(accepted, document)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		fail(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		passes, err := strconv.Atoi(lines.Text())
		if err != nil {
			fail(err)
		}
		started := cpuSeconds()
		for range passes {
			for _, document := range accepted {
				if err := verify(document); err != nil {
					fail(err)
				}
			}
		}
		fmt.Println((cpuSeconds() - started) / float64(passes*len(accepted)))
	}
}
