package audit

import (
	"context"
	"math/bits"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mandate-health/mandate/internal/errs"
)

// blockLevel is the height at which hashes of the tree are kept: one for each
// 256 leaves, one for each 65,536 and so on. What lies between is computed.
const (
	blockLevel = 8
	blockSize  = 1 << blockLevel
)

// Head is the state of a tenant's tree.
type Head struct {
	// Size is the number of leaves.
	Size int64
	// Sealed is when the tree last grew, zero for an empty one.
	Sealed time.Time
	// Checkpoint is the newest signed checkpoint, nil for an empty tree.
	Checkpoint []byte
}

// Leaf is one place of the tree: which event stands there.
type Leaf struct {
	Seq  int64
	ID   string
	Hash Hash
}

// Batch is a run of leaves. It never reaches over a multiple of 256.
type Batch struct {
	Leaves []Leaf
	// From and To are the earliest and latest time of the events.
	From, To time.Time
}

// Node is a kept hash: of the 1<<Level leaves from N<<Level on.
type Node struct {
	Level int
	N     int64
	Hash  Hash
}

// Extension is one growth of a tree.
type Extension struct {
	Tenant string
	// From and To are the sizes before and after.
	From, To   int64
	Sealed     time.Time
	Checkpoint []byte
	// Generation of the log's keys signs from size To on; 0 when none begins.
	Generation int
	// Keep files the checkpoint among those that are listed.
	Keep    bool
	Batches []Batch
	Nodes   []Node
	// Minutes counts the leaves by the minute of their event, as Minute gives
	// it.
	Minutes map[int64]int64
}

// Minute numbers the minutes by which events and leaves are counted.
func Minute(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro() / time.Minute.Microseconds()
}

// frontier is a tree reduced to what it needs to grow: the hashes of the
// complete subtrees along its right edge, the largest first.
type frontier struct {
	size  int64
	nodes []Hash
}

// add appends a leaf and gives the kept hashes that it completed.
func (f *frontier) add(leaf Hash) []Node {
	var kept []Node
	f.nodes = append(f.nodes, leaf)
	for level := 1; f.size>>(level-1)&1 == 1 && len(f.nodes) > 1; level++ {
		last := len(f.nodes) - 1
		f.nodes[last-1] = tlog.NodeHash(f.nodes[last-1], f.nodes[last])
		f.nodes = f.nodes[:last]
		if level%blockLevel == 0 {
			kept = append(kept, Node{Level: level, N: f.size >> level, Hash: f.nodes[last-1]})
		}
	}
	f.size++
	return kept
}

// root gives the hash of the whole tree, zero for an empty one.
func (f *frontier) root() Hash {
	if len(f.nodes) == 0 {
		return Hash{}
	}
	h := f.nodes[len(f.nodes)-1]
	for i := len(f.nodes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.nodes[i], h)
	}
	return h
}

// clone gives a copy that can grow alone.
func (f *frontier) clone() *frontier {
	return &frontier{size: f.size, nodes: append([]Hash(nil), f.nodes...)}
}

// edges gives the stored-hash indexes of the subtrees of a frontier.
func edges(size int64) []int64 {
	var out []int64
	done := int64(0)
	for level := bits.Len64(uint64(size)) - 1; level >= 0; level-- {
		if size>>level&1 == 1 {
			out = append(out, tlog.StoredHashIndex(level, done>>level))
			done += 1 << level
		}
	}
	return out
}

// loadFrontier reads the frontier of a tree of the size.
func loadFrontier(r tlog.HashReader, size int64) (*frontier, error) {
	f := &frontier{size: size}
	if size == 0 {
		return f, nil
	}
	var err error
	f.nodes, err = r.ReadHashes(edges(size))
	return f, err
}

// treeReader reads the hashes of a tree from leaves and kept hashes.
type treeReader struct {
	ctx    context.Context
	ledger LedgerReader
	tenant string
}

// ReadHashes implements tlog.HashReader.
func (r treeReader) ReadHashes(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		hash, err := r.subtree(level, n)
		if err != nil {
			return nil, err
		}
		out[i] = hash
	}
	return out, nil
}

// subtree computes one hash from the nearest kept ones below it.
func (r treeReader) subtree(level int, n int64) (Hash, error) {
	base := level / blockLevel * blockLevel
	first, count := n<<(level-base), int64(1)<<(level-base)
	var row []Hash
	if base == 0 {
		leaves, err := Leaves(r.ctx, r.ledger, r.tenant, first, first+count)
		if err != nil {
			return Hash{}, err
		}
		for _, l := range leaves {
			row = append(row, l.Hash)
		}
	} else {
		nodes, err := r.ledger.LedgerNodes(r.ctx, r.tenant, base, first, first+count)
		if err != nil {
			return Hash{}, err
		}
		for _, n := range nodes {
			row = append(row, n.Hash)
		}
	}
	if int64(len(row)) != count {
		return Hash{}, errs.New(errs.Internal, "audit-tree-incomplete", "Hashes of the audit log's tree are missing.")
	}
	for ; len(row) > 1; row = row[:len(row)/2] {
		for i := range len(row) / 2 {
			row[i] = tlog.NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0], nil
}

// Leaves gives the leaves with from ≤ Seq < to. Errors: errs.Unavailable.
func Leaves(ctx context.Context, l LedgerReader, tenant string, from, to int64) ([]Leaf, error) {
	batches, err := l.LedgerBatches(ctx, tenant, from&^(blockSize-1), to)
	if err != nil {
		return nil, err
	}
	var out []Leaf
	for _, b := range batches {
		for _, leaf := range b.Leaves {
			if leaf.Seq >= from && leaf.Seq < to {
				out = append(out, leaf)
			}
		}
	}
	return out, nil
}
