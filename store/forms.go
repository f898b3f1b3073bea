package store

import (
	"context"
	"encoding/base64"
	"time"
)

// newestForm is the newest stored form that this program reads: 1 has audit
// events in audit_entry, hashes of 128 bits, packed requests and approvals; 2 has
// refresh tokens in refresh_chain; 3 has packed grants, with their approvals; 4
// has no mark of a carried request but the grant of its id, and in its row its code.
const newestForm = 4

// nodeLives is for how long after its last beat a node may still run.
const nodeLives = 5 * time.Minute

// MeetNodes learns whether every running node reads the newest stored form. It
// is written from then on: an older program cannot start on this store any more.
// Migrate does it, and each Beat until it is so. Errors: errs.Unavailable.
func (s *Store) MeetNodes(ctx context.Context) error { return s.meetNodes(ctx) }

func (p *ports) meetNodes(ctx context.Context) error {
	if p.newest.Load() {
		return nil
	}
	has, err := one(ctx, p, "table", scanInt, p.dialect.HasTable, "node_heartbeat")
	if err != nil || has == 0 {
		return err
	}
	n, err := one(ctx, p, "node", scanInt, `SELECT COUNT(*) FROM node_heartbeat WHERE form < $1 AND at_db > `+p.dialect.Now+` - $2`,
		int64(newestForm), nodeLives.Microseconds())
	if err == nil && n == 0 {
		p.newest.Store(true)
	}
	return err
}

// shortHash gives the form of 128 bits of what is stored as a keyed hash of 256
// or as a guard: 22 characters. Nobody can look for two values with an equal
// one, because the hash is keyed, or find one for a given guard. Anything else
// stays as it is.
func shortHash(long []byte) string { return base64.RawURLEncoding.EncodeToString(long[:16]) }

// hashForms gives the form of a keyed hash in which it is written, and both in
// which it is looked for.
func (p *ports) hashForms(hash string) (write, short, long string) {
	if len(hash) != 64 || !isHex(hash) {
		return hash, hash, hash
	}
	short = shortHash(appendHex(nil, hash))
	if p.newest.Load() {
		return short, short, hash
	}
	return hash, short, hash
}
