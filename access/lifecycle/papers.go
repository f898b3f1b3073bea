package lifecycle

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// PutPapers puts pictures of papers with a case of which the actor is the proxy:
// what the instrument's checklist needs (LC-04, LC-05, RS-05). It opens nothing.
// Errors: of proxy.Filed; errs.NotFound for anybody else's case.
func (s *Service) PutPapers(ctx context.Context, a Actor, id, kind string, files []evidence.File) (proxy.Case, error) {
	return s.putPapers(ctx, a, id, proxysCase, kind, files)
}

// ScanPapers is PutPapers by a member of staff, who cannot be the one that verifies
// afterwards (SP-04).
func (s *Service) ScanPapers(ctx context.Context, a Actor, id, kind string, files []evidence.File) (proxy.Case, error) {
	return s.putPapers(ctx, a, id, staffsCase, kind, files)
}

func (s *Service) putPapers(ctx context.Context, a Actor, id string, f find, kind string, files []evidence.File) (proxy.Case, error) {
	return s.step(ctx, id, a, f,
		func(c proxy.Case) (proxy.Case, error) {
			return c.Filed(papersOf(c, kind, files), s.signed(a))
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			return s.keepPapers(ctx, tx, *c, c.Papers[len(c.Papers)-len(files):], files, a)
		})
}

// papersOf gives what a case says of files that come to it.
func papersOf(c proxy.Case, kind string, files []evidence.File) []proxy.Paper {
	out := make([]proxy.Paper, 0, len(files))
	for i, f := range files {
		out = append(out, proxy.Paper{
			ID: ownRecords + c.ID + "-file-" + strconv.Itoa(len(c.Papers)+i+1), Kind: kind, Media: f.Media, Size: len(f.Bytes),
		})
	}
	return out
}

// lookedAt gives the papers of a case that a member of staff has opened or put in, by
// the log: what a check names is what was looked at and not what there was (RS-08).
// It reads before the transaction, since a request never holds two connections.
func (s *Service) lookedAt(ctx context.Context, a Actor, id string) ([]string, error) {
	c, err := s.Read.CaseByID(ctx, s.Tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && len(c.Papers) == 0 {
		return nil, nil // what is not there the step refuses
	}
	if err != nil {
		return nil, err
	}
	looks, err := s.Log.Audits(ctx, audit.Filter{
		Tenant: s.Tenant, Patient: c.Patient, PersonID: a.Person.ID, Kinds: []audit.Kind{audit.FHIRRead},
		Since: c.Papers[0].At, Until: s.now(), Limit: mostLooks,
	})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range c.Papers {
		if p.By == a.Person.ID || slices.ContainsFunc(looks, func(e audit.Event) bool { return e.Resource.ID == evidence.Document{ID: p.ID}.BinaryID() }) {
			out = append(out, p.ID)
		}
	}
	return out, nil
}

// keepPapers stores the bytes with what tells of them, sealed under the patient's key.
func (s *Service) keepPapers(ctx context.Context, tx Tx, c proxy.Case, papers []proxy.Paper, files []evidence.File, a Actor) error {
	for i, p := range papers {
		d := evidence.Document{
			ID: p.ID, Patient: c.Patient, Relation: relation(c), At: p.At, Kind: p.Kind, Media: p.Media, Bytes: files[i].Bytes,
		}
		if c.PersonID != "" {
			// An author could find the record, and so that there is such a patient.
			d.By = party(p.By, a)
		}
		if err := s.keep(ctx, tx, d.DocumentReference); err != nil {
			return err
		}
		if err := s.keep(ctx, tx, d.Binary); err != nil {
			return err
		}
	}
	return nil
}

// OwnPaper gives the file of a paper to the proxy who put it in, StaffPaper to staff
// who check papers and are not part of the case. To look is told to the log in the
// same transaction. Errors: errs.NotFound for anybody else and any other paper.
func (s *Service) OwnPaper(ctx context.Context, a Actor, id, paper string) (evidence.File, error) {
	return s.paper(ctx, a, id, paper, proxysCase)
}

// StaffPaper is as OwnPaper says.
func (s *Service) StaffPaper(ctx context.Context, a Actor, id, paper string) (evidence.File, error) {
	return s.paper(ctx, a, id, paper, staffsCase)
}

func (s *Service) paper(ctx context.Context, a Actor, id, paper string, f find) (evidence.File, error) {
	var out evidence.File
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := f(ctx, tx, s.Tenant, id, a)
		if err != nil {
			return err
		}
		known, ok := c.Paper(paper)
		if !ok {
			return noRecord()
		}
		r, err := tx.EvidenceByID(ctx, s.Tenant, evidence.Document{ID: paper}.BinaryID())
		if errs.Is(err, errs.NotFound) {
			return noRecord()
		}
		if err != nil {
			return err
		}
		if _, ok := Readable(a, r); !ok && known.By != a.Person.ID {
			return noRecord()
		}
		if out, err = evidence.FileOf(r); err != nil {
			return err
		}
		e := a.Origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.Tenant, s.now(), audit.FHIRRead, "R", audit.Success
		e.PersonID, e.Patient, e.Resource, e.ResourceVersion = a.Person.ID, r.Patient, r.Reference(), strconv.Itoa(r.Version)
		e.Delivered, e.Count = []string{r.Reference().String()}, 1
		return tx.AppendAudit(ctx, e)
	})
	return out, err
}
