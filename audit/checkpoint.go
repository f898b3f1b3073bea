package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/mandate-health/mandate/internal/errs"
)

// Origin is the first line of a tenant's checkpoints and the name of the key
// that signs them.
func Origin(tenant string) string { return "mandate-audit/" + tenant }

// Checkpoint is a signed statement of size and root of a tree.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
	Time   time.Time
	// Signed is the whole note.
	Signed []byte
}

// ReadCheckpoint verifies and reads a signed checkpoint by the verifier key of
// its log. Errors: errs.Invalid with code audit-checkpoint-unsigned when no
// signature of that key is on it, audit-checkpoint-malformed,
// audit-verifier-key.
func ReadCheckpoint(signed []byte, verifierKey string) (Checkpoint, error) {
	v, err := note.NewVerifier(strings.TrimSpace(verifierKey))
	if err != nil {
		return Checkpoint{}, errs.Wrap(err, errs.Invalid, "audit-verifier-key", "The verifier key of the audit log cannot be read.")
	}
	c, _, err := openCheckpoint(signed, v.Name(), note.VerifierList(v))
	return c, err
}

// openCheckpoint reads a checkpoint and gives the hashes of the keys among
// known that signed it.
func openCheckpoint(signed []byte, origin string, known note.Verifiers) (c Checkpoint, by []uint32, err error) {
	n, err := note.Open(signed, known)
	if err != nil {
		return c, nil, errs.Wrap(err, errs.Invalid, "audit-checkpoint-unsigned",
			"The checkpoint does not carry a valid signature of this log's key.")
	}
	if c, err = parseCheckpoint(n.Text); err != nil || c.Origin != origin {
		return c, nil, errs.Wrap(err, errs.Invalid, "audit-checkpoint-malformed", "The checkpoint is not one of this audit log.")
	}
	for _, s := range n.Sigs {
		by = append(by, s.Hash)
	}
	c.Signed = signed
	return c, by, nil
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return c, fmt.Errorf("audit: a checkpoint of %d lines", len(lines))
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, fmt.Errorf("audit: a checkpoint of size %q", lines[1])
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, err
	}
	if at, ok := strings.CutPrefix(lines[3], "time "); ok {
		if c.Time, err = time.Parse(time.RFC3339, at); err != nil {
			return c, err
		}
	}
	return c, nil
}
