package registration

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Filed is a client of a file. Same reports whether a stored hash is that of its
// secret.
type Filed struct {
	oauth.Client
	Same func(stored string) bool
	// Loosen lets the file ask less of the client than it is asked now.
	Loosen bool
}

// File stores clients that stand in a file, in one transaction. A client that is
// there keeps its epoch, its history, and the addresses that another node gave it: two
// development servers on one database have one registration. A disabled one
// stays so unless somebody asks for it by name, and so does a deleted one: a file
// that is read at every start must not undo what was decided since. It gives the
// ids of the deleted clients that it left out. What a client is asked for its
// security is not taken away by a file alone. Errors: errs.Conflict with code
// client-exists for a deleted one that was asked for, and client-loosened for one
// of which less would be asked; errs.Unavailable.
func (s *Service) File(ctx context.Context, clients []Filed, asked bool, origin audit.Event) (left []string, err error) {
	for _, c := range clients {
		if err := s.prepare(ctx, c.Client); err != nil {
			return nil, err
		}
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		left = nil
		for _, c := range clients {
			have, err := tx.ClientByID(ctx, c.Tenant, c.ID)
			if err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			if !have.Deleted.IsZero() {
				if asked {
					return errs.New(errs.Conflict, "client-exists", "There is a client with this client_id, or there was one.")
				}
				left = append(left, c.ID)
				continue
			}
			if asked && !c.Loosen {
				if err := ratchet(have, c.Client); err != nil {
					return err
				}
			}
			e := event(origin, c.Client, audit.ClientRegistered, "C", "")
			next := c.over(have, asked)
			if err := kept(next); err != nil {
				return err
			}
			if next.Created.IsZero() {
				next.Created = s.Clock.Now()
			}
			if err := s.put(ctx, tx, next, e); err != nil {
				return err
			}
		}
		return nil
	})
	return left, err
}

// over gives the filed client in place of the one that is stored.
func (c Filed) over(have oauth.Client, asked bool) oauth.Client {
	out := c.Client
	out.Epoch, out.Disabled = have.Epoch, have.Disabled && !asked
	out.Registration, out.Verified, out.Created = have.Registration, have.Verified, have.Created
	if !c.Loosen {
		have.Hold(&out)
	}
	if asked {
		out.Registration.Pending, out.Registration.Why = false, ""
	}
	out.RedirectURIs = union(out.RedirectURIs, have.RedirectURIs)
	out.LaunchURIs = union(out.LaunchURIs, have.LaunchURIs)
	if c.Same != nil && slices.ContainsFunc(have.SecretHashes, c.Same) {
		// The same secret under an older key: to take it away and give it anew
		// would count as a revocation.
		out.SecretHashes = slices.DeleteFunc(slices.Clone(have.SecretHashes), func(stored string) bool { return !c.Same(stored) })
	}
	return out
}

// union appends what is missing.
func union(a, b []string) []string {
	a = slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// ratchet refuses a registration that asks less of its client than the one
// before. Errors: errs.Conflict with code client-loosened.
func ratchet(before, after oauth.Client) error {
	looser := before.Loosens(after)
	if len(looser) == 0 {
		return nil
	}
	return errs.New(errs.Conflict, "client-loosened",
		"Client "+after.ID+" would no longer have to keep "+strings.Join(looser, ", ")+"; only an operator can allow that, with --loosen.")
}
