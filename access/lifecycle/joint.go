package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// templateJoint tells people who act together that something waits for them.
const templateJoint = "proxy.joint"

func errNoMatter() error {
	return errs.New(errs.NotFound, "matter-not-found", "There is no such matter.")
}

// Jointly lists what people who must act together can ask for (FX-30): what changes
// something. Looking each does alone.
func Jointly() []string {
	return slices.DeleteFunc(representativeTerms(time.Time{}).Functions, func(f string) bool { return !proxy.Writing(f) })
}

// together gives those with whom somebody must act: the joint agents or guardians of
// the patient who have access now, without the person.
func (s *Service) together(ctx context.Context, tx proxy.Cases, c proxy.Case) ([]proxy.Case, error) {
	all, err := tx.CasesOfPatient(ctx, s.Tenant, c.Patient)
	return slices.DeleteFunc(all, func(o proxy.Case) bool {
		return o.ID == c.ID || o.PersonID == c.PersonID || o.Authority.Kind != c.Authority.Kind || !o.Joint(s.now())
	}), err
}

// jointCase gives the case of somebody who acts together with others now. Errors:
// errs.NotFound; errs.Forbidden with code joint-not, and with code joint-alone while
// nobody is there to agree.
func (s *Service) jointCase(ctx context.Context, tx proxy.Cases, id string, a Actor) (c proxy.Case, others []proxy.Case, err error) {
	if c, err = proxysCase(ctx, tx, s.Tenant, id, a); err != nil {
		return c, nil, err
	}
	if !c.Joint(s.now()) {
		return c, nil, errs.New(errs.Forbidden, "joint-not", "This is for people who act together and have access now.")
	}
	if others, err = s.together(ctx, tx, c); err == nil && len(others) == 0 {
		err = errs.New(errs.Forbidden, "joint-alone", "Nobody is there who could agree. Who must act together does nothing alone.")
	}
	return c, others, err
}

// Joined is what somebody who must act together sees.
type Joined struct {
	// Others are those who must agree, Asked what waits for a second yes or for staff.
	Others []proxy.Case
	Asked  []Asked
}

// Asked is something that two must want, as one of them sees it.
type Asked struct {
	ID, Function string
	// Who is the name of who asked, empty for the reader.
	Who string
	// Mine: the reader agreed. Ready: two did.
	Mine, Ready bool
	// Due is the last day: for the second yes, then for staff.
	Due time.Time
}

// Joined gives with whom the actor acts together and what waits. Nobody is no error.
func (s *Service) Joined(ctx context.Context, a Actor, id string) (out Joined, err error) {
	c, others, err := s.jointCase(ctx, s.Read, id, a)
	if errs.Is(err, errs.Forbidden) {
		err = nil
	}
	if err != nil || !c.Joint(s.now()) {
		return out, err
	}
	out.Others = others
	open, err := s.asked(ctx, s.Reviews, c)
	for _, m := range open {
		one := Asked{ID: m.ID, Function: m.Function, Ready: m.Ready(), Due: m.Due}
		for _, yes := range m.Approved {
			one.Mine = one.Mine || yes.By == a.Person.ID
		}
		for _, o := range others {
			if o.PersonID == m.OpenedBy {
				one.Who = o.Name
			}
		}
		out.Asked = append(out.Asked, one)
	}
	return out, err
}

// asked gives what waits of what people asked for together on one kind of paper.
func (s *Service) asked(ctx context.Context, tx matter.Store, c proxy.Case) ([]matter.Matter, error) {
	open, err := tx.MattersOf(ctx, s.Tenant, c.Patient)
	return slices.DeleteFunc(open, func(m matter.Matter) bool { return m.Kind != matter.Joint || m.Paper != c.Authority.Kind }), err
}

// AskTogether asks for something that two must want (FX-30): the actor's own yes is
// the first. Errors: of jointCase; errs.Invalid with code proxy-function;
// errs.Conflict with code matter-running while the same is asked for.
func (s *Service) AskTogether(ctx context.Context, a Actor, id, function string) error {
	if !slices.Contains(Jointly(), function) {
		return errs.New(errs.Invalid, "proxy-function", "There is no such function.")
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, others, err := s.jointCase(ctx, tx, id, a)
		if err != nil {
			return err
		}
		open, err := s.asked(ctx, tx, c)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(open, func(m matter.Matter) bool { return m.Function == function }) {
			return errs.New(errs.Conflict, "matter-running", "This was asked for already.")
		}
		m := matter.Begin(matter.Joint, s.Tenant, s.IDs.ID(), c.Patient, a.Person.ID, s.now(), s.answerDays(), s.Zone, c.ID)
		m = m.Ask(function, matter.Approval{Case: c.ID, By: a.Person.ID, At: s.now()})
		m.Paper = c.Authority.Kind
		return s.putJoint(ctx, tx, m, "ask", a, others...)
	})
}

// AgreeTogether is the second yes: then it is the work of staff, until a day.
// Disagree ends it. Errors: of jointCase; errs.NotFound for what does not wait here;
// errs.Forbidden with code matter-own for who asked.
func (s *Service) AgreeTogether(ctx context.Context, a Actor, id, asked string) error {
	return s.answerJoint(ctx, a, id, asked, "agree", func(m matter.Matter, c proxy.Case) (matter.Matter, error) {
		return m.Approve(matter.Approval{Case: c.ID, By: a.Person.ID, At: s.now()}, matter.WorkingDays(s.now(), s.answerDays(), s.Zone))
	})
}

// Disagree says no to what somebody else asked for.
func (s *Service) Disagree(ctx context.Context, a Actor, id, asked string) error {
	return s.answerJoint(ctx, a, id, asked, "decline", func(m matter.Matter, _ proxy.Case) (matter.Matter, error) {
		return m.Decline(a.Person.ID, s.now())
	})
}

func (s *Service) answerJoint(ctx context.Context, a Actor, id, asked, act string, answer func(matter.Matter, proxy.Case) (matter.Matter, error)) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, others, err := s.jointCase(ctx, tx, id, a)
		if err != nil {
			return err
		}
		open, err := s.asked(ctx, tx, c)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(open, func(m matter.Matter) bool { return m.ID == asked })
		if i < 0 {
			return errNoMatter()
		}
		m, err := answer(open[i], c)
		if err != nil {
			return err
		}
		return s.putJoint(ctx, tx, m, act, a, others...)
	})
}

// putJoint stores a matter of people who act together, with its event and its Task,
// and tells those concerned.
func (s *Service) putJoint(ctx context.Context, tx Tx, m matter.Matter, act string, a Actor, tell ...proxy.Case) error {
	if err := s.putMatter(ctx, tx, m, act, a); err != nil {
		return err
	}
	for _, c := range tell {
		if err := s.tell(ctx, tx, c, templateJoint); err != nil {
			return err
		}
	}
	task := evidence.Together{
		ID: ownRecords + m.ID + "-joint", Patient: m.Patient, Function: m.Function, Outcome: string(m.Outcome), Began: m.Opened, At: s.now(), Due: m.Due,
	}
	for _, yes := range m.Approved {
		c, err := tx.CaseByID(ctx, s.Tenant, yes.Case)
		if err != nil {
			return err
		}
		task.Approved = append(task.Approved, evidence.Approver{Party: evidence.Party{Resource: relation(c), Account: yes.By}, At: yes.At})
	}
	return s.keep(ctx, tx, task.Task)
}

// stillTogether refuses to do what two asked for when one of them can no longer act.
// Errors: errs.Forbidden with code joint-gone.
func (s *Service) stillTogether(ctx context.Context, tx Tx, m matter.Matter) error {
	for _, yes := range m.Approved {
		c, err := tx.CaseByID(ctx, s.Tenant, yes.Case)
		if err != nil {
			return err
		}
		if c.PersonID != yes.By || c.Patient != m.Patient || c.Authority.Kind != m.Paper || !c.Joint(s.now()) {
			return errs.New(errs.Forbidden, "joint-gone", "Somebody who agreed can no longer act. Both must ask anew.")
		}
	}
	return nil
}

// decideJoint ends what two asked for: staff do it only while both can still act.
func (s *Service) decideJoint(ctx context.Context, tx Tx, m matter.Matter, a Actor) error {
	if m.Outcome == matter.Done {
		if err := s.stillTogether(ctx, tx, m); err != nil {
			return err
		}
	}
	return s.endJoint(ctx, tx, m, "decide", a)
}

// lapseJoint ends what nobody agreed to in time.
func (s *Service) lapseJoint(ctx context.Context, tx Tx, m matter.Matter) error {
	return s.endJoint(ctx, tx, m.Lapse(s.now()), "lapse", s.clock())
}

// endJoint stores the end and tells those who agreed.
func (s *Service) endJoint(ctx context.Context, tx Tx, m matter.Matter, act string, a Actor) error {
	var told []proxy.Case
	for _, yes := range m.Approved {
		c, err := tx.CaseByID(ctx, s.Tenant, yes.Case)
		if err != nil {
			return err
		}
		told = append(told, c)
	}
	return s.putJoint(ctx, tx, m, act, a, told...)
}
