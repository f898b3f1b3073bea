package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/journal"
)

// Journal keeps revocations outside of the store. An entry that comes twice
// does no harm.
type Journal interface {
	// Append returns once the entries are durable, with how far the segment
	// had come. Errors: errs.Unavailable.
	Append(ctx context.Context, entries []journal.Entry) (journal.Head, error)
	// Head gives how far the segment of this process has come.
	Head() journal.Head
}

const (
	// journaledStays is for how long a row stays that the journal has: a
	// backup tells by it what it holds already.
	journaledStays = 48 * time.Hour
	// unjournaledStays is for how long a row waits for a journal; a store
	// without one forgets it then.
	unjournaledStays = 35 * 24 * time.Hour
	// straggler is how old a row is before another process brings it to the
	// journal: its own had that much time.
	straggler = 5 * time.Second
	// tendBatch bounds one transaction of TendJournal.
	tendBatch = 500
	// appendLimit is how long a caller waits for the journal at most: a share
	// that hangs is one that cannot be written.
	appendLimit = 5 * time.Second
)

// revoking runs a compare-and-set that revokes, with its row for the journal
// in the same transaction. When another call had won, whatever of it is still
// on its way to the journal goes with this transaction too: nobody is told
// that something is revoked before the journal has it.
func (p *ports) revoking(ctx context.Context, e journal.Entry, change func(*ports) (bool, error)) (won bool, err error) {
	err = p.atomic(ctx, func(p *ports) error {
		if won, err = change(p); err != nil {
			return err
		}
		if won {
			return p.noteRevoked(ctx, e)
		}
		if !p.journals {
			return nil
		}
		pending, err := list(ctx, p, scanEntry, `SELECT body FROM revocation
			WHERE tenant = $1 AND kind = $2 AND subject = $3 AND journaled = FALSE`, e.Tenant, string(e.Kind), e.Subject)
		p.revocations = append(p.revocations, pending...)
		return err
	})
	return won, err
}

// noteRevoked writes the row of a revocation. It must be called inside a
// transaction.
func (p *ports) noteRevoked(ctx context.Context, e journal.Entry) error {
	e.ID, e.At = p.ids.ID(), p.clock.Now().UTC().Truncate(time.Microsecond)
	p.revocations = append(p.revocations, e)
	return p.write(ctx, `INSERT INTO revocation (tenant, id, kind, subject, body, at, journaled, ends)
		VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7)`,
		e.Tenant, e.ID, string(e.Kind), e.Subject, doc(e), micros(e.At), micros(e.At.Add(unjournaledStays)))
}

func scanEntry(r Row) (e journal.Entry, err error) {
	err = r.Scan(doc(&e))
	return e, err
}

// bring takes the revocations of a transaction to the journal, after its
// commit and before anybody is told. When that fails they are in force, the
// caller is told that nothing is sure, and TendJournal tries again.
func (s *Store) bring(ctx context.Context, entries []journal.Entry) error {
	if s.journal == nil || len(entries) == 0 {
		s.unjournaled.Add(int64(len(entries)))
		return nil
	}
	// Who hangs up does not undo what is committed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendLimit)
	defer cancel()
	head, err := s.journal.Append(ctx, entries)
	if err != nil {
		return err
	}
	s.tending.Lock()
	defer s.tending.Unlock()
	s.brought = append(s.brought, entries...)
	s.heads[head.Segment] = head
	return nil
}

// TendJournal brings to the journal what other processes did not: one that was
// killed between its commit and the journal, a command of the command line,
// this one while the journal could not be written. It also notes in the store
// how far the journal has come. At the start of a process, before it answers
// anybody, all must be true: then nothing is too young. Call it every few
// seconds. Errors: errs.Unavailable.
func (s *Store) TendJournal(ctx context.Context, all bool) error {
	if s.journal == nil {
		return nil
	}
	before := s.clock.Now().Add(-straggler)
	if all {
		before = s.clock.Now().Add(24 * time.Hour)
	}
	// What it has already is not brought twice.
	if err := s.noteJournaled(ctx); err != nil {
		return err
	}
	for {
		late, err := list(ctx, s.ports, scanEntry, `SELECT body FROM revocation
			WHERE journaled = FALSE AND at < $1 ORDER BY at LIMIT $2`, micros(before), tendBatch)
		if err != nil {
			return err
		}
		if err := s.bring(ctx, late); err != nil {
			return err
		}
		if err := s.noteJournaled(ctx); err != nil || len(late) < tendBatch {
			return err
		}
	}
}

// noteJournaled marks the rows that the journal has and notes how far it is,
// in one transaction: a marked row is never beyond the noted head.
func (s *Store) noteJournaled(ctx context.Context) error {
	s.tending.Lock()
	brought, heads := s.brought, maps.Clone(s.heads)
	s.brought = nil
	s.tending.Unlock()
	if head := s.journal.Head(); head.Line > 0 {
		heads[head.Segment] = head
	}
	if len(brought) == 0 && maps.Equal(heads, s.noted) {
		return nil
	}
	err := s.InTx(ctx, func(tx Tx) error { return tx.(*ports).markJournaled(ctx, brought, heads) })
	s.tending.Lock()
	defer s.tending.Unlock()
	if err != nil {
		s.brought = append(s.brought, brought...)
		return err
	}
	s.noted = heads
	return nil
}

func (p *ports) markJournaled(ctx context.Context, brought []journal.Entry, heads map[string]journal.Head) error {
	ends := micros(p.clock.Now().Add(journaledStays))
	for chunk := range slices.Chunk(brought, 100) {
		args := []any{ends}
		var in strings.Builder
		for i, e := range chunk {
			if i > 0 {
				in.WriteString(", ")
			}
			in.WriteString("($" + strconv.Itoa(2*i+2) + ", $" + strconv.Itoa(2*i+3) + ")")
			args = append(args, e.Tenant, e.ID)
		}
		err := p.write(ctx, `UPDATE revocation SET journaled = TRUE, ends = $1 WHERE (tenant, id) IN (`+in.String()+`)`, args...)
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		if err := p.noteHead(ctx, heads[name]); err != nil {
			return err
		}
	}
	return nil
}

func (p *ports) noteHead(ctx context.Context, h journal.Head) error {
	return p.write(ctx, `INSERT INTO revocation_segment (segment, line, sum, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (segment) DO UPDATE SET line = excluded.line, sum = excluded.sum, at = excluded.at
		WHERE excluded.line > revocation_segment.line`, h.Segment, h.Line, h.Sum, micros(h.At))
}

// JournalLag gives how many revocations the journal lacks, and since when the
// oldest waits, zero for none. Marking what it has takes some seconds, so a
// young one means nothing. Errors: errs.Unavailable.
func (s *Store) JournalLag(ctx context.Context) (waiting int64, since time.Time, err error) {
	_, err = one(ctx, s.ports, "revocation", func(r Row) (struct{}, error) {
		return struct{}{}, r.Scan(&waiting, into(&since))
	}, `SELECT COUNT(*), COALESCE(MIN(at), 0) FROM revocation WHERE journaled = FALSE`)
	return waiting, since, err
}

// Unjournaled counts the revocations of this process that wait for another one
// which has the journal.
func (s *Store) Unjournaled() int64 { return s.unjournaled.Load() }

// ForgetSegments forgets how far segments had come that ended before and are
// deleted. Errors: errs.Unavailable.
func (s *Store) ForgetSegments(ctx context.Context, before time.Time) error {
	return s.write(ctx, `DELETE FROM revocation_segment WHERE at < $1`, micros(before))
}

// JournalHeads gives how far each segment of the journal had come, as the store
// knows. Errors: errs.Unavailable.
func (s *Store) JournalHeads(ctx context.Context) ([]journal.Head, error) { return s.segments(ctx) }
