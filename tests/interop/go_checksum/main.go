// SPDX-License-Identifier: Apache-2.0

// Program go_checksum reads a log with the Go checksum database's own packages, unmodified:
// golang.org/x/mod/sumdb/note and tlog. It shares no code with Avow.
//
// It accepts the log: the checkpoint under the key, every entry proved in it over the tiles, an
// older checkpoint as its beginning. Then it alters what it read, a bit at a time, and fails
// unless each alteration is refused.
//
// The log is a folder or the URL of a server's /log. C2SP's tiles are the checksum database's, of
// height 8, whose paths do not name that height.
//
// Exit code: 0 all of it holds, 1 something does not, 2 it could not be tried.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

func main() {
	where := flag.String("log", "", "folder, or URL of a server's /log")
	vkey := flag.String("vkey", "", "the log's verifier key")
	old := flag.String("old", "", "file of an older checkpoint (optional)")
	stride := flag.Int64("stride", 1, "prove every so manieth entry, and the last one")
	flag.Parse()
	verifier, err := note.NewVerifier(*vkey)
	if err != nil || *where == "" || flag.NArg() != 0 {
		fmt.Fprintln(os.Stderr, "usage: go_checksum -log DIR|URL -vkey VKEY [-old FILE] [-stride N]:", err)
		os.Exit(2)
	}
	l := &log{where: *where, verifiers: note.VerifierList(verifier), origin: verifier.Name(), files: map[string][]byte{}}
	if err := l.check(*old, *stride); err != nil {
		fmt.Fprintln(os.Stderr, "go_checksum:", err)
		os.Exit(1)
	}
}

// A log as it is read. What was read once stays, so that an alteration meets the same bytes.
type log struct {
	where     string
	verifiers note.Verifiers
	origin    string
	files     map[string][]byte
}

func (l *log) check(old string, stride int64) error {
	checkpoint, err := l.read("checkpoint")
	if err != nil {
		return err
	}
	tree, err := l.open(checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	proved, err := l.checkEntries(tree, stride)
	if err != nil {
		return err
	}
	fmt.Printf("accepted: checkpoint of %d entries, %d of them proved\n", tree.N, proved)
	refused, err := l.refuseAltered(checkpoint, tree)
	if err != nil {
		return err
	}
	if old != "" {
		more, err := l.checkOld(old, tree)
		if err != nil {
			return err
		}
		refused += more
	}
	fmt.Printf("refused: %d alterations\n", refused)
	return nil
}

func (l *log) read(path string) ([]byte, error) {
	if data, ok := l.files[path]; ok {
		return data, nil
	}
	data, err := fetch(l.where, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	l.files[path] = data
	return data, nil
}

func fetch(where, path string) ([]byte, error) {
	if !strings.HasPrefix(where, "http://") {
		return os.ReadFile(filepath.Join(where, filepath.FromSlash(path)))
	}
	response, err := http.Get(where + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	return io.ReadAll(response.Body)
}

// open believes a checkpoint that the log's key signed. Its text is C2SP's, not the checksum
// database's, whose first line is fixed.
func (l *log) open(checkpoint []byte) (tlog.Tree, error) {
	n, err := note.Open(checkpoint, l.verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) < 4 || lines[0] != l.origin {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", l.origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

// tiles reads tiles for package tlog.
type tiles struct{ l *log }

func (tiles) Height() int                     { return tileHeight }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data, err := t.l.read(tilePath(tile))
		if err != nil {
			return nil, err
		}
		out[i] = data
	}
	return out, nil
}

func tilePath(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

func (l *log) reader(tree tlog.Tree) tlog.HashReader { return tlog.TileHashReader(tree, tiles{l}) }

// prove proves an entry in the tree, and checks the proof.
func (l *log) prove(tree tlog.Tree, index int64, entry []byte) error {
	proof, err := tlog.ProveRecord(tree.N, index, l.reader(tree))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func (l *log) checkEntries(tree tlog.Tree, stride int64) (proved int64, err error) {
	for i := int64(0); i < tree.N; i++ {
		if i%stride != 0 && i != tree.N-1 {
			continue
		}
		entry, err := l.entry(tree, i)
		if err != nil {
			return proved, fmt.Errorf("entry %d: %w", i, err)
		}
		if err := l.prove(tree, i, entry); err != nil {
			return proved, fmt.Errorf("entry %d: %w", i, err)
		}
		proved++
	}
	return proved, nil
}

// entry cuts an entry out of its bundle, whose entries stand behind their lengths.
func (l *log) entry(tree tlog.Tree, index int64) ([]byte, error) {
	tile := tlog.Tile{H: tileHeight, L: 0, N: index >> tileHeight, W: 1 << tileHeight}
	if rest := tree.N - tile.N<<tileHeight; rest < int64(tile.W) {
		tile.W = int(rest)
	}
	path := strings.Replace(tilePath(tile), "tile/0/", "tile/entries/", 1)
	data, err := l.read(path)
	if err != nil {
		return nil, err
	}
	var found []byte
	for i := 0; i < tile.W; i++ {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s ends inside entry %d", path, i)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if int64(i) == index&(1<<tileHeight-1) {
			found = data[2:end]
		}
		data = data[end:]
	}
	if len(data) != 0 {
		return nil, fmt.Errorf("%s goes on after its %d entries", path, tile.W)
	}
	return found, nil
}

// flipped is data with one bit changed.
func flipped(data []byte, at int) []byte {
	out := append([]byte{}, data...)
	out[at] ^= 1
	return out
}

// refuseAltered changes the checkpoint, the tiles, an entry and a proof, and counts the refusals.
func (l *log) refuseAltered(checkpoint []byte, tree tlog.Tree) (refused int, err error) {
	text := bytes.Index(checkpoint, []byte("\n\n")) + 2
	for i := 0; i < text; i++ {
		if _, err := l.open(flipped(checkpoint, i)); err == nil {
			return refused, fmt.Errorf("the checkpoint is accepted with byte %d altered", i)
		}
		refused++
	}
	// The beginning of all signatures at once: those of unknown keys say nothing either way.
	for i := 0; i < 40; i++ {
		altered := checkpoint
		for at := text; at < len(checkpoint); at += 1 + bytes.IndexByte(checkpoint[at:], '\n') {
			altered = flipped(altered, bytes.LastIndexByte(checkpoint[:at+bytes.IndexByte(checkpoint[at:], '\n')], ' ')+1+i)
		}
		if _, err := l.open(altered); err == nil {
			return refused, fmt.Errorf("the checkpoint is accepted with byte %d of its signatures altered", i)
		}
		refused++
	}
	for _, path := range l.readTiles() {
		more, err := l.refuseAlteredTile(path, l.files[path], tree)
		refused += more
		if err != nil {
			return refused, err
		}
	}
	entry, err := l.entry(tree, tree.N-1)
	if err != nil {
		return refused, err
	}
	for i := range entry {
		if l.prove(tree, tree.N-1, flipped(entry, i)) == nil {
			return refused, fmt.Errorf("the last entry is accepted with byte %d altered", i)
		}
		refused++
	}
	proof, err := tlog.ProveRecord(tree.N, tree.N-1, l.reader(tree))
	if err != nil {
		return refused, err
	}
	more, err := refuseProofs(proof, func(altered []tlog.Hash) error {
		return tlog.CheckRecord(altered, tree.N, tree.Hash, tree.N-1, tlog.RecordHash(entry))
	})
	return refused + more, err
}

// readTiles names the tiles of hashes that were read.
func (l *log) readTiles() []string {
	var paths []string
	for path := range l.files {
		if strings.HasPrefix(path, "tile/") && !strings.HasPrefix(path, "tile/entries/") {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	return paths
}

// refuseAlteredTile changes up to 16 hashes of a tile, each time proving an entry whose proof holds
// the changed one: the reader may refuse the tile, or else the proof must not hold. (Only from
// v0.40.0 on does package tlog's reader refuse every tile by itself: CVE-2026-56865.)
func (l *log) refuseAlteredTile(path string, data []byte, tree tlog.Tree) (refused int, err error) {
	tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, path[len("tile/"):]))
	if err != nil {
		return 0, err
	}
	defer func() { l.files[path] = data }()
	for i := 0; i < tile.W; i += 1 + tile.W/16 {
		neighbour := i ^ 1
		if neighbour >= tile.W {
			neighbour = 0 // then the hash is one of the right edge, which every other proof holds
		}
		index := (tile.N<<tileHeight + int64(neighbour)) << (tileHeight * tile.L)
		l.files[path] = data
		entry, err := l.entry(tree, index)
		if err != nil {
			return refused, err
		}
		l.files[path] = flipped(data, i*tlog.HashSize)
		if l.prove(tree, index, entry) == nil {
			return refused, fmt.Errorf("%s is accepted with hash %d altered", path, i)
		}
		refused++
	}
	return refused, nil
}

// refuseProofs alters each hash of a proof, cuts one off and adds one.
func refuseProofs(proof []tlog.Hash, check func([]tlog.Hash) error) (refused int, err error) {
	if err := check(proof); err != nil {
		return 0, err
	}
	altered := [][]tlog.Hash{append(append([]tlog.Hash{}, proof...), tlog.Hash{})}
	if len(proof) > 0 {
		altered = append(altered, proof[:len(proof)-1])
	}
	for i := range proof {
		one := append([]tlog.Hash{}, proof...)
		one[i][i%tlog.HashSize] ^= 0x80
		altered = append(altered, one)
	}
	for i, one := range altered {
		if check(one) == nil {
			return i, fmt.Errorf("a proof is accepted with alteration %d", i)
		}
	}
	return len(altered), nil
}

// checkOld shows that an older checkpoint is the beginning of the tree, and that another one of its
// size is not.
func (l *log) checkOld(file string, tree tlog.Tree) (refused int, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	old, err := l.open(data)
	if err != nil {
		return 0, fmt.Errorf("older checkpoint: %w", err)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, l.reader(tree))
	if err != nil {
		return 0, err
	}
	refused, err = refuseProofs(proof, func(altered []tlog.Hash) error {
		return tlog.CheckTree(altered, tree.N, tree.Hash, old.N, old.Hash)
	})
	if err != nil {
		return refused, fmt.Errorf("consistency: %w", err)
	}
	other := old.Hash
	other[0] ^= 1
	if tlog.CheckTree(proof, tree.N, tree.Hash, old.N, other) == nil {
		return refused, errors.New("another tree is accepted as the beginning of this one")
	}
	fmt.Printf("accepted: checkpoint of %d entries (%s) as its beginning\n", old.N,
		base64.StdEncoding.EncodeToString(old.Hash[:6]))
	return refused + 1, nil
}
