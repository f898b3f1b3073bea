package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// AuditTenants implements audit.Ledger. It jumps from tenant to tenant along
// the primary key.
func (p *ports) AuditTenants(ctx context.Context) ([]string, error) {
	var out []string
	for last := ""; ; {
		next, err := list(ctx, p, scanText, `SELECT tenant FROM audit_event WHERE tenant > $1
			UNION ALL SELECT tenant FROM audit_entry WHERE tenant > $1 ORDER BY tenant LIMIT 1`, last)
		if err != nil || len(next) == 0 {
			return out, err
		}
		out, last = append(out, next[0]), next[0]
	}
}

// LedgerHead implements audit.Ledger.
func (p *ports) LedgerHead(ctx context.Context, tenant string) (audit.Head, error) {
	h, err := one(ctx, p, "audit-tree", func(r Row) (h audit.Head, err error) {
		err = r.Scan(&h.Size, into(&h.Sealed), &h.Checkpoint)
		return h, err
	}, `SELECT size, sealed, checkpoint FROM audit_tree WHERE tenant = $1`, tenant)
	if errs.Is(err, errs.NotFound) {
		return audit.Head{}, nil
	}
	return h, err
}

// ExtendLedger implements audit.Ledger.
func (p *ports) ExtendLedger(ctx context.Context, e audit.Extension) (bool, error) {
	won := false
	err := p.atomic(ctx, func(p *ports) (err error) {
		won, err = p.growTree(ctx, e)
		if err != nil || !won {
			return err
		}
		for _, b := range e.Batches {
			if err := p.write(ctx, `INSERT INTO audit_batch (tenant, first, oldest, newest, leaves) VALUES ($1, $2, $3, $4, $5)`,
				e.Tenant, b.Leaves[0].Seq, micros(b.From), micros(b.To), packLeaves(b.Leaves)); err != nil {
				return err
			}
		}
		for _, n := range e.Nodes {
			if err := p.write(ctx, `INSERT INTO audit_node (tenant, level, n, hash) VALUES ($1, $2, $3, $4)`,
				e.Tenant, int64(n.Level), n.N, n.Hash[:]); err != nil {
				return err
			}
		}
		for minute, leaves := range e.Minutes {
			if err := p.write(ctx, `INSERT INTO audit_minute (tenant, minute, leaves) VALUES ($1, $2, $3)
				ON CONFLICT (tenant, minute) DO UPDATE SET leaves = audit_minute.leaves + excluded.leaves`,
				e.Tenant, minute, leaves); err != nil {
				return err
			}
		}
		if e.Generation > 0 {
			if err := p.write(ctx, `UPDATE audit_key SET signs = $3 WHERE tenant = $1 AND generation = $2`,
				e.Tenant, int64(e.Generation), e.To); err != nil {
				return err
			}
		}
		if !e.Keep {
			return nil
		}
		return p.write(ctx, `INSERT INTO audit_checkpoint (tenant, size, checkpoint) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, size) DO NOTHING`, e.Tenant, e.To, e.Checkpoint)
	})
	return won && err == nil, err
}

// growTree moves the head from one size to the next.
func (p *ports) growTree(ctx context.Context, e audit.Extension) (bool, error) {
	if e.From == 0 {
		return p.won(ctx, `INSERT INTO audit_tree (tenant, size, sealed, checkpoint) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant) DO NOTHING`, e.Tenant, e.To, micros(e.Sealed), e.Checkpoint)
	}
	return p.won(ctx, `UPDATE audit_tree SET size = $3, sealed = $4, checkpoint = $5 WHERE tenant = $1 AND size = $2`,
		e.Tenant, e.From, e.To, micros(e.Sealed), e.Checkpoint)
}

// LedgerBatches implements audit.Ledger.
func (p *ports) LedgerBatches(ctx context.Context, tenant string, from, to int64) ([]audit.Batch, error) {
	return list(ctx, p, scanBatch, `SELECT first, oldest, newest, leaves FROM audit_batch
		WHERE tenant = $1 AND first >= $2 AND first < $3 ORDER BY first`, tenant, from, to)
}

// LedgerBatchesAt implements audit.Ledger.
func (p *ports) LedgerBatchesAt(ctx context.Context, tenant string, from, to time.Time) ([]audit.Batch, error) {
	return list(ctx, p, scanBatch, `SELECT first, oldest, newest, leaves FROM audit_batch
		WHERE tenant = $1 AND newest >= $2 AND oldest < $3 ORDER BY first`, tenant, micros(from), micros(to))
}

func scanBatch(r Row) (b audit.Batch, err error) {
	var first int64
	var packed []byte
	if err := r.Scan(&first, into(&b.From), into(&b.To), &packed); err != nil {
		return b, err
	}
	b.Leaves, err = unpackLeaves(first, packed)
	return b, err
}

// packLeaves writes for each leaf its event id and hash. An id as Mandate makes
// them takes 17 bytes: a zero and the 16 bytes that its 32 digits stand for;
// any other its length and itself.
func packLeaves(leaves []audit.Leaf) []byte {
	var out []byte
	for _, l := range leaves {
		raw, err := hex.DecodeString(l.ID)
		if err == nil && len(raw) == 16 && hex.EncodeToString(raw) == l.ID {
			out = append(append(out, 0), raw...)
		} else {
			out = append(append(out, byte(len(l.ID))), l.ID...)
		}
		out = append(out, l.Hash[:]...)
	}
	return out
}

// unpackLeaves reads what packLeaves wrote. What somebody else wrote is read
// as far as it goes: verification then tells what is missing.
func unpackLeaves(first int64, packed []byte) ([]audit.Leaf, error) {
	var out []audit.Leaf
	for seq := first; len(packed) > 0; seq++ {
		l := audit.Leaf{Seq: seq}
		n := int(packed[0])
		size := n
		if n == 0 {
			size = 16
		}
		if len(packed) < 1+size+len(l.Hash) {
			return out, nil
		}
		id := packed[1 : 1+size]
		if l.ID = string(id); n == 0 {
			l.ID = hex.EncodeToString(id)
		}
		copy(l.Hash[:], packed[1+size:])
		out, packed = append(out, l), packed[1+size+len(l.Hash):]
	}
	return out, nil
}

// LedgerNodes implements audit.Ledger.
func (p *ports) LedgerNodes(ctx context.Context, tenant string, level int, from, to int64) ([]audit.Node, error) {
	return list(ctx, p, func(r Row) (audit.Node, error) {
		n := audit.Node{Level: level}
		var hash []byte
		err := r.Scan(&n.N, &hash)
		copy(n.Hash[:], hash)
		return n, err
	}, `SELECT n, hash FROM audit_node WHERE tenant = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n`,
		tenant, int64(level), from, to)
}

// LedgerCheckpoints implements audit.Ledger.
func (p *ports) LedgerCheckpoints(ctx context.Context, tenant string) ([][]byte, error) {
	return list(ctx, p, func(r Row) (c []byte, err error) {
		err = r.Scan(&c)
		return c, err
	}, `SELECT checkpoint FROM audit_checkpoint WHERE tenant = $1 ORDER BY size`, tenant)
}

// LedgerMinutes implements audit.Ledger.
func (p *ports) LedgerMinutes(ctx context.Context, tenant string, from, to int64) (map[int64]int64, error) {
	return p.counts(ctx, `SELECT minute, leaves FROM audit_minute WHERE tenant = $1 AND minute >= $2 AND minute < $3`, tenant, from, to)
}

func (p *ports) counts(ctx context.Context, sql string, args ...any) (map[int64]int64, error) {
	type row struct{ key, n int64 }
	rows, err := list(ctx, p, func(r Row) (c row, err error) {
		err = r.Scan(&c.key, &c.n)
		return c, err
	}, sql, args...)
	out := make(map[int64]int64, len(rows))
	for _, c := range rows {
		out[c.key] = c.n
	}
	return out, err
}

// bodyErased is the first byte of a body that was erased; behind it stands the
// commitment to what was there. No scheme of keys.Sealed has this number.
const bodyErased byte = 0xEE

func erasedBody(body []byte) (hash audit.Hash, erased bool) {
	if len(body) != 1+len(hash) || body[0] != bodyErased {
		return hash, false
	}
	copy(hash[:], body[1:])
	return hash, true
}
