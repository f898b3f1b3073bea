package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// backups are the sections about backups and what outlives them.
func backups() []section {
	return []section{
		{"a backup holds everything", backupRound},
		{"a backup sees one moment", backupMoment},
		{"a backup is loaded whole or not at all", backupWhole},
	}
}

// taken is a backup in memory.
type taken struct {
	header   backup.Header
	reader   backup.ReaderKey
	bytes    []byte
	manifest backup.Manifest
	// sums are the rows of each table, sorted.
	rows map[string][]string
	in   string
}

// Begin implements backup.Visitor, as the others do.
func (b *taken) Begin(m backup.Manifest) error {
	b.manifest, b.rows = m, map[string][]string{}
	return nil
}

func (b *taken) Table(t backup.Table) error {
	b.in = t.Name
	b.rows[b.in] = nil
	return nil
}

func (b *taken) Row(values []any) error {
	b.rows[b.in] = append(b.rows[b.in], fmt.Sprintf("%#v", values))
	return nil
}

func (b *taken) End(int64) error {
	slices.Sort(b.rows[b.in])
	return nil
}

func (b *taken) read(v backup.Visitor) error {
	_, _, err := backup.Read(bytes.NewReader(b.bytes), b.reader, v)
	return err
}

// take backs a store up.
func take(t *testing.T, s *store.Store) *taken {
	t.Helper()
	writer, reader, err := backup.NewKeys(ids.Source{})
	must(t, err)
	b := &taken{header: backup.Header{ID: ids.Source{}.ID(), Taken: noon(), Engine: s.Engine()}, reader: reader}
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, writer, b.header)
	must(t, err)
	must(t, s.Dump(t.Context(), w))
	_, err = w.Close()
	must(t, err)
	b.bytes = out.Bytes()
	must(t, b.read(b))
	return b
}

// furnish puts something into many tables.
func furnish(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.PutPerson(ctx, rosa()))
	must(t, s.CreateSession(ctx, session()))
	must(t, s.PutClient(ctx, app()))
	must(t, s.CreateGrant(ctx, grant("g1", noon())))
	must(t, s.CreateCode(ctx, code()))
	g := grant("g9", noon())
	c, _ := named("g9")
	g.Code = &c
	must(t, s.CreateGrant(ctx, g))
	must(t, begin(ctx, s))
	must(t, s.CreateLaunch(ctx, launch()))
	must(t, s.PutPending(ctx, pending()))
	must(t, s.CreatePushed(ctx, pushed()))
	must(t, s.PutRecovery(ctx, recovery(), 0))
	must(t, s.PutConsent(ctx, record("c1", 1), 0))
	must(t, s.PutConsent(ctx, record("c1", 2), 1))
	must(t, s.PutRelatedPerson(ctx, related(1), 0))
	must(t, s.AppendAudit(ctx, event("e1", noon())))
	must(t, s.UseAssertion(ctx, tenant, "iss", "jti", noon()))
	must(t, s.RevokeToken(ctx, tenant, "t1", noon()))
}

// SG-08, SG-09: what was loaded is what was there, and codes, refresh tokens
// and epochs of before are worth nothing.
func backupRound(t *testing.T, s *store.Store) {
	ctx := t.Context()
	furnish(t, s)
	b := take(t, s)
	fails(t, s.Load(ctx, b.header, b.manifest, b.read), errs.Conflict)
	must(t, s.MigrateDown(ctx, 0, nil))
	must(t, s.Load(ctx, b.header, b.manifest, b.read))
	equal(t, take(t, s).rows, b.rows)
	equal(t, got(s.PersonByID(ctx, tenant, "p-rosa"))(t), rosa())
	equal(t, got(s.ConsentVersion(ctx, tenant, "c1", 1))(t), record("c1", 1))

	r := got(s.Restored(ctx))(t)
	equal(t, []any{r.Backup, r.Taken, r.Finished.IsZero()}, []any{b.header.ID, noon(), true})
	// A restore that was killed goes on with what was loaded.
	must(t, s.Load(ctx, b.header, b.manifest, func(backup.Visitor) error { return errors.New("loaded twice") }))

	epochs := []int64{got(s.ClientByID(ctx, tenant, app().ID))(t).Epoch, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t)}
	must(t, s.Disarm(ctx, false))
	_, err := s.CodeByHash(ctx, tenant, code().Hash)
	fails(t, err, errs.NotFound)
	_, ref := named("g9")
	_, _, err = s.CodeStanding(ctx, tenant, ref)
	fails(t, err, errs.NotFound)
	_, _, err = s.RefreshStanding(ctx, tenant, refreshRef("r1"))
	fails(t, err, errs.NotFound)
	_, err = s.LaunchByHash(ctx, tenant, launch().Hash)
	fails(t, err, errs.NotFound)
	_, err = s.PendingByID(ctx, tenant, pending().ID)
	fails(t, err, errs.NotFound)
	_, err = s.PushedByHash(ctx, tenant, pushed().Hash)
	fails(t, err, errs.NotFound)
	_, err = s.RecoveryByHash(ctx, tenant, recovery().Hash)
	fails(t, err, errs.NotFound)
	for i, now := range []int64{got(s.ClientByID(ctx, tenant, app().ID))(t).Epoch, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t)} {
		if now < epochs[i]+1<<31 {
			t.Errorf("epoch %d: %d, was %d", i, now, epochs[i])
		}
	}
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t).Revoked, time.Time{})
	must(t, s.Disarm(ctx, true))
	if got(s.GrantByID(ctx, tenant, "g1"))(t).Revoked.IsZero() || got(s.SessionByHash(ctx, tenant, session().Hash))(t).Ended.IsZero() {
		t.Error("a grant or a log-in outlived the end of everything")
	}
	must(t, s.FinishRestore(ctx, r.ID, noon(), []journal.Head{{Segment: "s", Line: 7, Sum: "x", At: noon()}}))
	equal(t, got(s.Restored(ctx))(t).Opens, noon())
	equal(t, got(s.JournalHeads(ctx))(t), []journal.Head{{Segment: "s", Line: 7, Sum: "x", At: noon()}})
}

// While others write pairs, a backup never holds half of one.
func backupMoment(t *testing.T, s *store.Store) {
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil && n < 500; n++ {
				id := fmt.Sprint(w, "-", n)
				err := s.InTx(t.Context(), func(tx store.Tx) error {
					if err := tx.CreateGrant(t.Context(), oauth.Grant{Tenant: tenant, ID: id, PersonID: "p"}); err != nil {
						return err
					}
					return tx.CreateCode(t.Context(), oauth.Code{Tenant: tenant, Hash: id, GrantID: id})
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 5 {
		b := take(t, s)
		if grants, codes := len(b.rows["app_grant"]), len(b.rows["auth_code"]); grants != codes {
			t.Errorf("%d grants, %d codes", grants, codes)
		}
	}
	stop()
	wg.Wait()
}

// A backup that turns out to be damaged half way leaves an empty store behind.
func backupWhole(t *testing.T, s *store.Store) {
	ctx := t.Context()
	furnish(t, s)
	b := take(t, s)
	must(t, s.MigrateDown(ctx, 0, nil))
	cut := func(v backup.Visitor) error {
		_, _, err := backup.Read(io.LimitReader(bytes.NewReader(b.bytes), int64(len(b.bytes)-100)), b.reader, v)
		return err
	}
	fails(t, s.Load(ctx, b.header, b.manifest, cut), errs.Invalid)
	_, err := s.Restored(ctx)
	fails(t, err, errs.NotFound)
	newer := b.manifest
	newer.Schema = append(slices.Clone(newer.Schema), 9999)
	fails(t, s.Load(ctx, b.header, newer, b.read), errs.Conflict)
	must(t, s.Load(ctx, b.header, b.manifest, b.read))
}

// paper is a journal in memory that can be out of order.
type paper struct {
	mu      sync.Mutex
	entries []journal.Entry
	down    bool
}

// Append implements store.Journal.
func (p *paper) Append(_ context.Context, entries []journal.Entry) (journal.Head, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return journal.Head{}, errs.New(errs.Unavailable, "revocation-journal-unwritable", "")
	}
	p.entries = append(p.entries, entries...)
	return p.head(), nil
}

// Head implements store.Journal.
func (p *paper) Head() journal.Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head()
}

func (p *paper) head() journal.Head {
	return journal.Head{Segment: "s", Line: int64(len(p.entries)), Sum: fmt.Sprint(len(p.entries)), At: noon()}
}

func (p *paper) disorder(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// names gives what was revoked, in order.
func (p *paper) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, e := range p.entries {
		out = append(out, string(e.Kind)+" "+e.Subject)
	}
	return out
}

// SG-09: nobody is told that something is revoked before the journal has it,
// and what a killed process or a broken journal left is brought later.
func journaling(t *testing.T, e store.Engine) {
	ctx, p := t.Context(), &paper{}
	o := Options(t)
	// Another process shares the store and knows no journal.
	other := migratedWith(t, e, o)
	o.Journal = p
	s := store.New(e, o)
	furnish(t, s)
	revoke := func(s *store.Store, id string) error {
		_, err := s.RevokeGrant(ctx, tenant, id, "r", noon())
		return err
	}
	for _, id := range []string{"g2", "g3", "g4"} {
		must(t, s.CreateGrant(ctx, grant(id, noon())))
	}
	equal(t, p.names(), []string{"consent c1", "token t1"})
	must(t, revoke(s, "g1"))
	must(t, revoke(s, "g1"))
	must(t, s.EndSession(ctx, tenant, session().Hash, noon()))
	equal(t, p.names()[2:4], []string{"grant g1", "grant g1"})
	equal(t, p.names()[len(p.names())-1], "session "+session().Hash)

	p.disorder(true)
	for range 2 {
		// In force, but not to be relied upon; asking again changes nothing.
		fails(t, revoke(s, "g2"), errs.Unavailable)
		if got(s.GrantByID(ctx, tenant, "g2"))(t).Revoked.IsZero() {
			t.Error("what was revoked is not in force")
		}
	}
	fails(t, s.TendJournal(ctx, true), errs.Unavailable)
	p.disorder(false)
	must(t, revoke(s, "g2"))
	equal(t, p.names()[len(p.names())-1], "grant g2")
	must(t, s.TendJournal(ctx, true))

	// A process without the journal, or killed before it, leaves a row.
	before := len(p.names())
	must(t, revoke(other, "g3"))
	must(t, s.TendJournal(ctx, false))
	equal(t, len(p.names()), before)
	must(t, s.TendJournal(ctx, true))
	equal(t, p.names()[before:], []string{"grant g3"})
	equal(t, got(s.JournalHeads(ctx))(t), []journal.Head{p.Head()})
	must(t, s.TendJournal(ctx, true))
	equal(t, len(p.names()), before+1)
	// What was rolled back was not revoked.
	fails(t, s.InTx(ctx, func(tx store.Tx) error {
		if _, err := tx.RevokeGrant(ctx, tenant, "g4", "r", noon()); err != nil {
			return err
		}
		return errs.New(errs.InvalidGrant, "x", "")
	}), errs.InvalidGrant)
	must(t, s.TendJournal(ctx, true))
	equal(t, len(p.names()), before+1)
}

// SG-09: what a journal lacks is told and, however long that takes, not cleaned
// away; an operator role that was taken away goes there too.
func journalLag(t *testing.T, e store.Engine) {
	ctx, p := t.Context(), &paper{}
	o := Options(t)
	o.Journal = p
	s := migratedWith(t, e, o)
	lag := func(want int64) {
		t.Helper()
		n, since, err := s.JournalLag(ctx)
		must(t, err)
		if n != want || since.IsZero() != (want == 0) {
			t.Errorf("%d revocations wait since %s, want %d", n, since, want)
		}
	}
	lag(0)
	got(s.AssignOperator(ctx, operator.Assignment{Tenant: tenant, PersonID: "p-ada", Role: operator.Auditor}))(t)
	p.disorder(true)
	fails(t, s.RevokeOperator(ctx, tenant, "p-ada", operator.Auditor), errs.Unavailable)
	equal(t, len(got(s.Operators(ctx, tenant))(t)), 0)
	got(s.Housekeep(ctx, noon().AddDate(1, 0, 0)))(t)
	lag(1)
	p.disorder(false)
	must(t, s.TendJournal(ctx, true))
	equal(t, p.names(), []string{"operator p-ada"})
	lag(0)
	equal(t, s.Unjournaled(), int64(0))
	// A signing key that was removed must not come back with a backup.
	must(t, s.PutSigningKey(ctx, keys.SigningKey{Tenant: tenant, KID: "k1", Use: keys.UseAccessToken, Alg: "ES256", Private: []byte("{}"), Created: noon(), Signs: noon()}))
	must(t, s.RemoveSigningKey(ctx, tenant, "k1"))
	equal(t, p.names()[1:], []string{"signing-key k1"})
	equal(t, p.entries[1].Status, journal.Removed)
}
