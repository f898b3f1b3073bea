package identity

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

const (
	// QueueContactCode is the queue of codes that are to be sent to an address.
	QueueContactCode = "contact-code"
	// NoticeContactCode is the template of a message with a code. Args: code, to.
	NoticeContactCode = "contact-code"
	purposeRecovery   = "recovery-code"
	// ticketTries is how many codes may be tried for one ticket.
	ticketTries = 5
	codeRange   = 100_000_000
)

// How many codes may be asked for: from one network, and for one account in all.
var (
	codesFromPair  = Limit{Tries: 3, Window: 10 * time.Minute}
	codesToAccount = Limit{Tries: 20, Window: 12 * time.Hour}
)

// contactCode gives the code of a ticket: eight digits that only this server can
// tell. Nothing is stored until it was used (decision 0105).
func (s *Service) contactCode(ticket string) string {
	sum := s.d.Hasher.Sum("contact-code", ticket)
	return fmt.Sprintf("%08d", binary.BigEndian.Uint64(sum[:8])%codeRange)
}

// contactJob is what is to be done for somebody who asked for a code. Nobody's
// account makes one too, so that asking takes as long.
type contactJob struct {
	Person string `json:"person"`
	Ticket string `json:"ticket"`
}

func (s *Service) ticketBinding(username, binding string) string {
	if binding == "" {
		return ""
	}
	return binding + "." + s.account(username)
}

func (s *Service) account(username string) string {
	return s.d.Hasher.Hash("username", FoldUsername(cut(username)))
}

// AskContactCode has a code sent to the address that the record has of a person,
// and gives the ticket that comes back with it. It answers for nobody as for
// somebody. The code lives for five minutes, for this browser and for recovery
// only (SM-11, SM-12). Errors: errs.RateLimited with code too-many-tries;
// errs.Unavailable.
func (s *Service) AskContactCode(ctx context.Context, tenant, username, binding string, m Meta) (string, error) {
	now := s.now()
	found, err := s.find(ctx, tenant, username, m)
	if err != nil {
		return "", err
	}
	account := s.account(username)
	limits := []keyed{{key: "contact:pair:" + account + ":" + AddressPrefix(m.Address), Limit: codesFromPair}, {key: "contact:account:" + account, Limit: codesToAccount}}
	if found.onKnown {
		limits = []keyed{{key: "contact:device:" + account + ":" + s.device(m.Device), Limit: codesFromPair}}
	}
	ticket := s.newChallenge(purposeRecovery, s.ticketBinding(username, binding), now)
	var refusal error
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		refusal = nil
		for _, l := range limits {
			n, err := tx.CountFailure(ctx, tenant, l.key, now, l.Window)
			if err != nil {
				return err
			}
			if n > l.Tries {
				refusal = s.tooMany(codesFromPair.Window)
			}
		}
		if refusal != nil {
			return nil
		}
		body, err := json.Marshal(contactJob{Person: found.person.ID, Ticket: ticket})
		if err != nil {
			return errs.Wrap(err, errs.Internal, "contact-code", "A code cannot be sent.")
		}
		return tx.AddJob(ctx, jobs.Job{Tenant: tenant, Queue: QueueContactCode, Body: string(body)}, 0)
	})
	if err != nil {
		return "", err
	}
	return ticket, refusal
}

// SendContactCode does a job of QueueContactCode. own gives the addresses that are
// the person's alone: never that of somebody who helps. A code that is too old
// is not sent. Errors: errs.Unavailable; those of own.
func (s *Service) SendContactCode(ctx context.Context, tenant, body string, own func(context.Context, Person) ([]string, error)) error {
	var j contactJob
	if json.Unmarshal([]byte(body), &j) != nil || j.Person == "" || !s.now().Before(claimedEnd(j.Ticket)) {
		return nil
	}
	p, err := s.d.Store.PersonByID(ctx, tenant, j.Person)
	if errs.Is(err, errs.NotFound) || err == nil && p.Disabled {
		return nil
	}
	if err != nil {
		return err
	}
	to, err := own(ctx, p)
	if err != nil || len(to) == 0 {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		return tx.AddNotice(ctx, outbox.Notice{
			Tenant: tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Template: NoticeContactCode,
			Args: map[string]string{"code": s.contactCode(j.Ticket), "to": to[0], "lang": p.Language}, Created: s.now(),
		})
	})
}

// ticketLimit counts the guesses at one ticket.
func (s *Service) ticketLimit(ticket string) keyed {
	return keyed{key: "contact:ticket:" + s.d.Hasher.Hash("ticket", ticket), Limit: Limit{Tries: ticketTries, Window: ChallengeLife}, sticky: true}
}

// checkContact gives the end of a ticket when the code is right, or the reason why
// it is not.
func (s *Service) checkContact(username, binding, ticket, code string, now time.Time) (end time.Time, reason string) {
	end, err := s.challengeEnd(purposeRecovery, s.ticketBinding(username, binding), ticket, now)
	switch {
	case err != nil:
		return end, errs.As(err).Code
	case !ids.Equal(s.contactCode(ticket), digits(code)):
		return end, "code-wrong"
	}
	return end, ""
}

// digits leaves out the spaces with which people group a code.
func digits(code string) string {
	out := make([]rune, 0, len(code))
	for _, c := range code {
		if c != ' ' && c != '-' {
			out = append(out, c)
		}
	}
	return string(out)
}
