package audit

import (
	"context"
	"encoding/json"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/mandate-health/mandate/internal/errs"
)

// Inclusion proves that an event stands in the tree that a checkpoint signs.
// Whoever holds it and the verifier key needs nothing else: the record is the
// byte 1, the place as eight bytes, and the two commitments
// SHA-256(salt | 'h' | header) and SHA-256(salt | 'b' | body); its RFC 6962 leaf
// hash leads by the proof to the root (RFC 6962 §2.1.1).
type Inclusion struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
	Seq    int64  `json:"seq"`
	Leaf   Hash   `json:"leaf"`
	Salt   []byte `json:"salt"`
	// Header and Body are the canonical bytes. An erased body has left its
	// commitment.
	Header     json.RawMessage `json:"header"`
	Body       json.RawMessage `json:"body,omitempty"`
	Commitment *Hash           `json:"body_commitment,omitempty"`
	Proof      []Hash          `json:"proof"`
	Checkpoint string          `json:"checkpoint"`
}

// Consistency proves that the tree only grew between two sizes (RFC 6962
// §2.1.2).
type Consistency struct {
	Tenant  string `json:"tenant"`
	Old     int64  `json:"old"`
	New     int64  `json:"new"`
	OldRoot Hash   `json:"old_root"`
	NewRoot Hash   `json:"new_root"`
	Proof   []Hash `json:"proof"`
}

func errUnsealed() error {
	return errs.New(errs.NotFound, "audit-event-unsealed", "The event is not sealed yet: try again in a few seconds.")
}

// Prove gives the proof of one event, after checking it. Errors: errs.NotFound
// with code audit-event-not-found or audit-event-unsealed; errs.Conflict with
// code audit-proof-fails when the log was tampered with; errs.Unavailable.
func Prove(ctx context.Context, store LedgerReader, keys *LogKeys, id string) (*Inclusion, error) {
	head, err := store.LedgerHead(ctx, keys.tenant)
	if err != nil {
		return nil, err
	}
	return prove(ctx, store, keys, proving{id, Checkpoint{Size: head.Size, Signed: head.Checkpoint}, keys.VerifierKey})
}

func prove(ctx context.Context, store LedgerReader, keys *LogKeys, what proving) (*Inclusion, error) {
	stored, err := store.StoredAudits(ctx, keys.tenant, []string{what.id})
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 {
		return nil, errs.New(errs.NotFound, "audit-event-not-found", "There is no such audit event.")
	}
	leaf, err := findLeaf(ctx, store, keys.tenant, stored[0].Event)
	if err != nil {
		return nil, err
	}
	if leaf.Seq >= what.against.Size {
		return nil, errUnsealed()
	}
	it, err := itemOf(keys, leaf, stored[0])
	if err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(what.against.Size, leaf.Seq, treeReader{ctx, store, keys.tenant})
	if err != nil {
		return nil, err
	}
	p := &Inclusion{
		Tenant: keys.tenant, ID: what.id, Seq: leaf.Seq, Leaf: leaf.Hash, Salt: it.Salt, Header: it.Header, Body: it.Body,
		Proof: proof, Checkpoint: string(what.against.Signed),
	}
	if it.Body == nil {
		p.Commitment = &it.Commitment
	}
	return p, p.Check(what.verifierKey)
}

// findLeaf looks for the leaf of an event among those of its time.
func findLeaf(ctx context.Context, store LedgerReader, tenant string, e Event) (Leaf, error) {
	batches, err := store.LedgerBatchesAt(ctx, tenant, e.Time, e.Time.Add(time.Microsecond))
	if err != nil {
		return Leaf{}, err
	}
	for _, b := range batches {
		for _, l := range b.Leaves {
			if l.ID == e.ID {
				return l, nil
			}
		}
	}
	return Leaf{}, errUnsealed()
}

// Check verifies the proof by the verifier key of the log. Errors:
// errs.Conflict with code audit-proof-fails; those of ReadCheckpoint.
func (p *Inclusion) Check(verifierKey string) error {
	c, err := ReadCheckpoint([]byte(p.Checkpoint), verifierKey)
	if err != nil {
		return err
	}
	var body Hash
	if p.Commitment != nil {
		body = *p.Commitment
	} else {
		body = bodyCommitment(p.Salt, p.Body)
	}
	leaf := leafHash(p.Seq, headerCommitment(p.Salt, p.Header), body)
	var h struct{ ID, Tenant string }
	err = json.Unmarshal(p.Header, &h)
	if err == nil && (leaf != p.Leaf || h.ID != p.ID || h.Tenant != p.Tenant || c.Origin != Origin(p.Tenant)) {
		err = errs.New(errs.Conflict, "audit-proof-fails", "The event is not the one that was sealed.")
	}
	if err == nil {
		err = tlog.CheckRecord(p.Proof, c.Size, c.Root, p.Seq, leaf)
	}
	if err != nil {
		return errs.Wrap(err, errs.Conflict, "audit-proof-fails",
			"The proof does not hold: the event, its leaf or the tree was changed. Run mandate audit verify.")
	}
	return nil
}

// ProveConsistency gives the proof between two sizes of the tree, after
// checking it. newSize 0 takes the tree as it is. Errors: errs.Invalid with
// code audit-sizes for sizes that the tree never had in that order;
// errs.Unavailable.
func ProveConsistency(ctx context.Context, store LedgerReader, tenant string, oldSize, newSize int64) (*Consistency, error) {
	head, err := store.LedgerHead(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if newSize == 0 {
		newSize = head.Size
	}
	if oldSize < 1 || oldSize > newSize || newSize > head.Size {
		return nil, errs.New(errs.Invalid, "audit-sizes", "The sizes must be 1 or more, in order, and not over that of the tree.")
	}
	r := treeReader{ctx, store, tenant}
	c := &Consistency{Tenant: tenant, Old: oldSize, New: newSize}
	if c.OldRoot, err = tlog.TreeHash(oldSize, r); err != nil {
		return nil, err
	}
	if c.NewRoot, err = tlog.TreeHash(newSize, r); err != nil {
		return nil, err
	}
	if c.Proof, err = tlog.ProveTree(newSize, oldSize, r); err != nil {
		return nil, err
	}
	return c, c.Check()
}

// Check verifies that the proof leads from the old root to the new one.
// Errors: errs.Conflict with code audit-proof-fails.
func (c *Consistency) Check() error {
	if err := tlog.CheckTree(c.Proof, c.New, c.NewRoot, c.Old, c.OldRoot); err != nil {
		return errs.Wrap(err, errs.Conflict, "audit-proof-fails", "The proof does not lead from the old tree to the new one.")
	}
	return nil
}

// ProveHandovers gives, for each later generation of the log's keys that signs,
// the proof of the event that announced it against the checkpoint right behind
// it, which both keys signed: whoever trusts the older key comes to trust the
// newer one by it alone. Errors: those of Prove.
func ProveHandovers(ctx context.Context, store LedgerReader, keys *LogKeys) ([]*Inclusion, error) {
	kept, err := store.LedgerCheckpoints(ctx, keys.tenant)
	if err != nil {
		return nil, err
	}
	var out []*Inclusion
	for _, g := range keys.all[1:] {
		if !g.signing() {
			continue
		}
		for _, signed := range kept {
			c, err := ReadCheckpoint(signed, g.VerifierKey)
			if err != nil || c.Size != g.Signs {
				continue
			}
			p, err := prove(ctx, store, keys, proving{g.Event, c, g.VerifierKey})
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// proving is what is proven: an event against a checkpoint of a key.
type proving struct {
	id          string
	against     Checkpoint
	verifierKey string
}
