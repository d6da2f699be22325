// SPDX-License-Identifier: Apache-2.0

// Program torchwood checks a .tlog-proof with torchwood's VerifyProof, unmodified, under a policy
// of a log and witnesses:
//
//	torchwood POLICY PROOF ENTRY
//
// It accepts the proof, then alters the proof and the entry and drops cosignatures, and fails
// unless each alteration is refused. Exit code: 0 all of that held.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "torchwood:", err)
		os.Exit(1)
	}
}

func check(files []string) error {
	if len(files) != 3 {
		return fmt.Errorf("usage: torchwood POLICY PROOF ENTRY")
	}
	var data [3][]byte
	for i, file := range files {
		read, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		data[i] = read
	}
	proof, entry := data[1], data[2]
	policy, err := torchwood.ParsePolicy(data[0])
	if err != nil {
		return err
	}
	verify := func(proof, entry []byte) error {
		return torchwood.VerifyProof(policy, tlog.RecordHash(entry), proof)
	}
	if err := verify(proof, entry); err != nil {
		return err
	}
	fmt.Println("accepted: the proof, under the policy")

	refused := 0
	refuse := func(what string, proof, entry []byte) error {
		if verify(proof, entry) == nil {
			return fmt.Errorf("accepted with %s altered", what)
		}
		refused++
		return nil
	}
	for i := range entry {
		if err := refuse(fmt.Sprintf("byte %d of the entry", i), proof, flipped(entry, i)); err != nil {
			return err
		}
	}
	// Up to the signatures. What the application may put beside the proof is not vouched for, and
	// of the last character of a hash two bits are not (Go reads them whatever they are).
	first := bytes.Index(proof, []byte("\nindex ")) + 1
	for i := first; i < bytes.LastIndex(proof, []byte("\n\n")); i++ {
		if proof[i+1] == '=' {
			continue
		}
		if err := refuse(fmt.Sprintf("byte %d of the proof", i), flipped(proof, i), entry); err != nil {
			return err
		}
	}
	// Fewer and fewer cosignatures: at some point too few, and from then on always.
	enough := true
	for cut := proof; bytes.Count(cut, []byte("\n— ")) > 1; {
		cut = cut[:bytes.LastIndex(cut, []byte("\n— "))+1]
		err := verify(cut, entry)
		if err == nil && !enough {
			return fmt.Errorf("accepted with fewer cosignatures than were too few")
		}
		enough = err == nil
		fmt.Printf("%d signatures: %v\n", bytes.Count(cut, []byte("\n— ")), word(err))
	}
	if enough && strings.Contains(string(data[0]), "\nquorum ") && !strings.Contains(string(data[0]), "\nquorum none") {
		return fmt.Errorf("accepted without any cosignature")
	}
	fmt.Printf("refused: %d alterations\n", refused)
	return nil
}

func word(err error) string {
	if err == nil {
		return "accepted"
	}
	return "refused: " + err.Error()
}

func flipped(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 1
	return out
}
