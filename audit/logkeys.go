package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// The named secrets of the first generation of a tenant's log keys; those of
// later ones end in their number.
const (
	saltSecret       = "audit-salt"
	checkpointSecret = "audit-checkpoint-key"
)

func secretName(base string, generation int) string {
	if generation == 1 {
		return base
	}
	return base + "/" + strconv.Itoa(generation)
}

// Secrets keeps the keys of logs: the secret half as named secrets, as
// keys.Store does, and the public half. Errors of all methods:
// errs.Unavailable.
type Secrets interface {
	// Secret gives a named secret, made by fresh when there is none. Errors:
	// errs.Gone when it was destroyed with the tenant's keys.
	Secret(ctx context.Context, tenant, name string, fresh func() []byte) ([]byte, error)
	// LogKeys gives the generations of a log's keys, the first one first.
	LogKeys(ctx context.Context, tenant string) ([]LogKey, error)
	// AddLogKey adds a generation; false when there is one of that number.
	AddLogKey(ctx context.Context, tenant string, k LogKey) (bool, error)
	// LogEnd gives what stays of the log of an erased tenant, nil while it
	// lives.
	LogEnd(ctx context.Context, tenant string) (*LogEnd, error)
	// PutLogEnd keeps it.
	PutLogEnd(ctx context.Context, tenant string, e LogEnd) error
}

// LogKey is the public side of one generation of a log's keys.
type LogKey struct {
	// Generation counts from 1.
	Generation int `json:"generation"`
	// VerifierKey is the public key in the form of sumdb/note, such as
	// "mandate-audit/default+1234abcd+…".
	VerifierKey string    `json:"verifier_key"`
	Created     time.Time `json:"created"`
	// Starts is from when on events are salted by this generation.
	Starts time.Time `json:"starts,omitzero"`
	// Event announces the generation in the log; empty for the first one.
	Event string `json:"announced_by,omitempty"`
	// Signs is the size of the tree from which on it signs checkpoints; 0 for
	// the first one, and while the announcement is not sealed.
	Signs int64 `json:"signs_from,omitempty"`
}

// signing reports whether checkpoints are signed by the generation.
func (k LogKey) signing() bool { return k.Generation == 1 || k.Signs > 0 }

// LogEnd is what stays of a log whose tenant was erased with all its keys: the
// event that says so can be verified with it, and by it the rest is lawful.
type LogEnd struct {
	Event string
	Salt  []byte
	// Body is its canonical body.
	Body []byte
}

// LogKeys are the secrets of one tenant's log: by generation the key from which
// the salts of leaves are derived and the key that signs checkpoints.
type LogKeys struct {
	tenant string
	all    []generation
	end    *LogEnd
	// VerifierKey is the public half of the key that signs now.
	VerifierKey string
}

// generation is one with its secrets; without after the tenant was erased.
type generation struct {
	LogKey
	salt   []byte
	signer note.Signer
	// altered tells that the kept public key is not that of the secret, from which
	// VerifierKey then comes.
	altered bool
}

// OpenLogKeys reads the keys of a tenant's log, making them the first time. Of
// an erased tenant the public ones are given: Erased then says so. A kept public
// key that is not that of its secret is a finding of verification, and nothing is
// signed while it stands. Errors: errs.Unavailable, errs.Internal with code
// audit-key-broken.
func OpenLogKeys(ctx context.Context, secrets Secrets, src ids.Source, tenant string) (*LogKeys, error) {
	k := &LogKeys{tenant: tenant}
	rows, err := secrets.LogKeys(ctx, tenant)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		if rows, err = firstLogKey(ctx, secrets, src, tenant); err != nil {
			return nil, err
		}
	}
	if k.end, err = secrets.LogEnd(ctx, tenant); err != nil {
		return nil, err
	}
	for _, row := range rows {
		g := generation{LogKey: row}
		err := g.open(ctx, secrets, src, tenant)
		if err != nil && !errs.Is(err, errs.Gone) {
			return nil, err
		}
		k.all = append(k.all, g)
	}
	k.VerifierKey = k.current().VerifierKey
	return k, nil
}

// firstLogKey makes the first generation. The secrets may be there already:
// an older version kept them alone.
func firstLogKey(ctx context.Context, secrets Secrets, src ids.Source, tenant string) ([]LogKey, error) {
	g, err := newGeneration(ctx, secrets, src, tenant, 1)
	if err != nil {
		return nil, err
	}
	if _, err := secrets.AddLogKey(ctx, tenant, g.LogKey); err != nil {
		return nil, err
	}
	return secrets.LogKeys(ctx, tenant)
}

// newGeneration makes the secrets of a generation, or reads them.
func newGeneration(ctx context.Context, secrets Secrets, src ids.Source, tenant string, n int) (generation, error) {
	g := generation{LogKey: LogKey{Generation: n}}
	fresh := func() []byte { return src.Bytes(ed25519.SeedSize) }
	seed, err := secrets.Secret(ctx, tenant, secretName(checkpointSecret, n), fresh)
	if err != nil {
		return g, err
	}
	if g.salt, err = secrets.Secret(ctx, tenant, secretName(saltSecret, n), fresh); err != nil {
		return g, err
	}
	g.VerifierKey, g.signer, err = derive(tenant, seed)
	if err != nil {
		return g, errBrokenKey(err)
	}
	return g, nil
}

// open reads the secrets of a generation that is known.
func (g *generation) open(ctx context.Context, secrets Secrets, src ids.Source, tenant string) error {
	with, err := newGeneration(ctx, secrets, src, tenant, g.Generation)
	if err != nil {
		return err
	}
	g.altered = with.VerifierKey != g.VerifierKey
	g.salt, g.signer, g.VerifierKey = with.salt, with.signer, with.VerifierKey
	return nil
}

func errBrokenKey(err error) error {
	return errs.Wrap(err, errs.Internal, "audit-key-broken", "The key that signs the audit log's checkpoints cannot be used.")
}

// derive makes verifier and signer from the private seed.
func derive(tenant string, seed []byte) (verifierKey string, signer note.Signer, err error) {
	if len(seed) != ed25519.SeedSize {
		return "", nil, fmt.Errorf("audit: a checkpoint key of %d bytes", len(seed))
	}
	name := Origin(tenant)
	public, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		return "", nil, fmt.Errorf("audit: no Ed25519 key")
	}
	if verifierKey, err = note.NewEd25519VerifierKey(name, public); err != nil {
		return "", nil, err
	}
	// The private form has the same name and key hash (package note).
	hash := strings.Split(strings.TrimPrefix(verifierKey, name+"+"), "+")[0]
	// 1 is the algorithm Ed25519.
	secret := base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
	signer, err = note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + secret)
	return verifierKey, signer, err
}

// Generations gives the public sides, the first one first.
func (k *LogKeys) Generations() []LogKey {
	out := make([]LogKey, len(k.all))
	for i, g := range k.all {
		out[i] = g.LogKey
	}
	return out
}

// Erased reports whether the secrets were destroyed with all keys of the
// tenant: nothing can be sealed any more, and no leaf be computed.
func (k *LogKeys) Erased() bool { return k.current().signer == nil }

// current is the generation that signs.
func (k *LogKeys) current() *generation {
	at := 0
	for i := range k.all {
		if k.all[i].signing() {
			at = i
		}
	}
	return &k.all[at]
}

// announced is the generation that the event announces and that does not sign
// yet, nil for none.
func (k *LogKeys) announced(event string) *generation {
	for i := range k.all {
		if g := &k.all[i]; !g.signing() && g.Event == event {
			return g
		}
	}
	return nil
}

// Salt gives the salt of an event's leaf: derived, so that it costs no byte of
// the event's row and yet cannot be guessed without the tenant's secret. The
// generation goes by the time of the event, which the leaf commits to. It is
// nil when the tenant was erased; of the event that says so it stays.
func (k *LogKeys) Salt(at time.Time, eventID string) []byte {
	if k.end != nil && k.end.Event == eventID {
		return k.end.Salt
	}
	by := 0
	for i, g := range k.all {
		if i > 0 && !at.Before(g.Starts) {
			by = i
		}
	}
	if k.all[by].salt == nil {
		return nil
	}
	m := hmac.New(sha256.New, k.all[by].salt)
	m.Write([]byte("leaf\x00" + eventID))
	return m.Sum(nil)[:saltSize]
}

// Commitment gives what is left of the body of an event when it is erased.
// Errors: errs.Gone with code audit-keys-erased, errs.Internal.
func (k *LogKeys) Commitment(e Event) (Hash, error) {
	salt := k.Salt(e.Time, e.ID)
	if salt == nil {
		return Hash{}, errErasedKeys()
	}
	body, err := e.body()
	return bodyCommitment(salt, body), err
}

func errErasedKeys() error {
	return errs.New(errs.Gone, "audit-keys-erased", "The tenant was erased with the keys of its audit log.")
}

// sign gives the signed checkpoint of a tree. The generation whose announcement
// is its last leaf signs beside the one before, and hands the log on to it.
func (k *LogKeys) sign(size int64, root Hash, now time.Time, next *generation) ([]byte, error) {
	for _, g := range k.all {
		if g.altered {
			return nil, errBrokenKey(fmt.Errorf("audit: generation %d has another public key than its secret", g.Generation))
		}
	}
	by := []note.Signer{k.current().signer}
	if next != nil {
		by = append(by, next.signer)
	}
	text := fmt.Sprintf("%s\n%d\n%s\ntime %s\n", Origin(k.tenant), size, root, now.UTC().Format(time.RFC3339))
	signed, err := note.Sign(&note.Note{Text: text}, by...)
	if err != nil {
		return nil, errBrokenKey(err)
	}
	return signed, nil
}

// Ending gives the event that records that all keys of a tenant are destroyed
// at the latest at until, its log's among them, and what must be kept so that
// it can be verified without them. Both belong into the transaction of the act.
// Errors: errs.Gone with code audit-keys-erased.
func (k *LogKeys) Ending(id string, until, now time.Time) (Event, LogEnd, error) {
	e := Event{ID: id, Tenant: k.tenant, Time: now.Truncate(time.Microsecond), Kind: AuditErased, Action: "D", Outcome: Success, Reason: reasonTenantErased,
		Detail: map[string]string{detailBefore: until.UTC().Format(time.RFC3339Nano)}}
	var keys []string
	for _, g := range k.all {
		keys = append(keys, g.VerifierKey)
	}
	e.Detail[detailKeys] = strings.Join(keys, " ")
	end := LogEnd{Event: id, Salt: k.Salt(e.Time, id)}
	if end.Salt == nil {
		return e, end, errErasedKeys()
	}
	var err error
	end.Body, err = e.body()
	return e, end, err
}

// overlay gives the event that ended the log as it was written.
func (k *LogKeys) overlay(s Stored) Stored {
	if k.end == nil || s.Event.ID != k.end.Event || s.State != Destroyed {
		return s
	}
	header, err := s.Event.header()
	if err != nil {
		return s
	}
	if e, err := ReadCanonical(header, json.RawMessage(k.end.Body)); err == nil {
		s.Event, s.State = e, Whole
	}
	return s
}

// ended is overlay for an event that was read without its state.
func (k *LogKeys) ended(e Event) Event {
	return k.overlay(Stored{Event: e, State: Destroyed}).Event
}
