package proxy

import (
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
)

// MaxPapers is how many files one case holds.
const MaxPapers = 20

// ActFile puts the picture of a paper with a case (LC-04, LC-05).
const ActFile Act = "file"

// Paper is the picture of a paper that somebody put with a case. The bytes are kept
// apart, sealed under the patient's key.
type Paper struct {
	// ID is that of its DocumentReference.
	ID string `json:"id"`
	// Kind is one of AuthorityKinds, Media its type, Size its bytes.
	Kind  string `json:"kind"`
	Media string `json:"media"`
	Size  int    `json:"size"`
	Signed
}

// Fileable reports whether papers can be put with a case in a state.
func Fileable(s State) bool { return slices.Contains(filing()[0].From, s) }

// filing is the transition of it: there must be an account, and nothing rests or is
// over.
func filing() []Transition {
	return []Transition{
		{ActFile, []State{StateAccount, StateProofed, StateVerified, StateProposed, StateConfirmed, StateActive}, "", nil},
	}
}

// Filed gives the case with further papers. It opens nothing: somebody must say what
// a paper is (Attest), and somebody else must check it (Verify). Errors: errs.Invalid
// with code proxy-authority for an unknown kind, proxy-papers-full; those of the
// machine.
func (c Case) Filed(papers []Paper, by Signed) (Case, error) {
	if slices.ContainsFunc(papers, func(p Paper) bool { return !slices.Contains(AuthorityKinds(), p.Kind) }) {
		return c, errs.New(errs.Invalid, "proxy-authority", "Say which paper it is.")
	}
	if len(papers) == 0 || len(c.Papers)+len(papers) > MaxPapers {
		return c, errs.New(errs.Invalid, "proxy-papers-full", "There are as many files as can be kept.")
	}
	out, err := c.take(ActFile, by, "")
	if err != nil {
		return c, err
	}
	out.Papers = slices.Clone(c.Papers)
	for _, p := range papers {
		p.Signed = by
		out.Papers = append(out.Papers, p)
	}
	return out, nil
}

// Paper gives one by its id.
func (c Case) Paper(id string) (Paper, bool) {
	i := slices.IndexFunc(c.Papers, func(p Paper) bool { return p.ID == id })
	if i < 0 {
		return Paper{}, false
	}
	return c.Papers[i], true
}

// LookedAt notes which pictures of papers somebody looked at who attests, checks or
// turns down an instrument; what is no paper of the case is left out.
func (c Case) LookedAt(ids []string) Case {
	c.Authority.Files = nil
	for _, p := range c.Papers {
		if slices.Contains(ids, p.ID) {
			c.Authority.Files = append(c.Authority.Files, p.ID)
		}
	}
	return c
}

// putIn reports whether somebody put in the instrument that is to be verified, or a
// picture of one: who did cannot be the second pair of eyes (SP-04).
func (c Case) putIn(by string) bool {
	return c.Authority.Attested.By == by || slices.ContainsFunc(c.Papers, func(p Paper) bool { return p.By == by })
}
