package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/proxy"
)

// households are the families of the demonstration: between them they stand at every
// place that the life cycle has (A.5).
func households() []household {
	return []household{begayes(), abbotts(), johnsons(), patels(), ivanovas(), fischers(), marshes(), noahs()}
}

// soonOver is for how long an access is agreed to that the demonstration shows as over.
const soonOver = 500 * time.Millisecond

// begayes: what a patient who decides for herself does, each with somebody else.
func begayes() household {
	const ruth, record, of = "ruth", "p05", "Ruth Begaye"
	row := func(state, helper, words string, as ...string) demoCase {
		return demoCase{helper: helper, patient: of, state: state, words: words, as: as}
	}
	return household{
		people: []demoPerson{
			patientNamed(ruth, of, record),
			helperNamed("paul", "Paul Tso"), helperNamed("clara", "Clara Yazzie"), helperNamed("wade", "Wade Begaye"),
			helperNamed("thomas", "Thomas Begaye"), helperNamed("iris", "Iris Nez"), helperNamed("gail", "Gail Ortiz"),
			helperNamed("ray", "Ray Begaye"), helperNamed("dale", "Dale Benally"), helperNamed("mona", "Mona Tsosie"),
			helperNamed("kurt", "Kurt Lane"), helperNamed("joy", "Joy Manuelito"), helperNamed("sal", "Sal Price"),
			helperNamed("nora", "Nora Begaye"), helperNamed("rick", "Rick Stone"),
		},
		play: func(s *stage) {
			s.invites(ruth, "DAUC", "Lena Begaye", "")
			s.invites(ruth, "FRND", "Paul Tso", "paul")
			s.proofs(s.invites(ruth, "SIS", "Clara Yazzie", "clara"))
			s.letIn()
			s.letGo()
			s.asks("nora", record, "GRNDCHILD")
			s.does(ruth, s.life.Block, s.invites(ruth, "EXT", "Rick Stone", "rick"))
			s.as(ruth, func(a lifecycle.Actor) (proxy.Case, error) {
				return s.life.BlockNamed(s.ctx, a, proxy.Invitation{Name: "Glenn Harker", Relationship: proxy.FormerSpouse})
			})
		},
		cases: []demoCase{
			row("invited, has no account yet", "Lena Begaye", "Lena Begaye is invited.", ruth),
			row("has an account, papers not seen yet", "Paul Tso", "Paul Tso said yes. We must still check who it is.", ruth, "paul", "hale"),
			row("papers seen, waits for a yes", "Clara Yazzie", "We have checked who Clara Yazzie is. Now you decide.", ruth, "clara", "hale"),
			row("agreed, begins ten minutes after the start", "Wade Begaye", "Wade Begaye will have access soon.", ruth, "wade"),
			row("active, everything but what is specially protected", "Thomas Begaye", "Thomas Begaye can see your whole record until", ruth, "thomas"),
			row("active, looks at medicines and visits only", "Iris Nez", "Iris Nez can see your visits", ruth, "iris"),
			row("active, ends in ten days and asks for longer", "Gail Ortiz", "Gail Ortiz can see your care plans", ruth, "gail"),
			row("paused by the patient", "Ray Begaye", "The access of Ray Begaye rests now.", ruth, "ray"),
			row("held, because something felt wrong", "Dale Benally", "The access of Dale Benally rests now.", ruth, "dale", "hale"),
			row("came to its end", "Mona Tsosie", "The access of Mona Tsosie came to its end on", ruth, "mona"),
			row("ended by the patient", "Kurt Lane", "You ended the access of Kurt Lane.", ruth, "kurt"),
			row("stepped back", "Joy Manuelito", "Joy Manuelito has no access any more.", ruth, "joy"),
			row("turned away by staff", "Sal Price", "Sal Price has no access any more.", ruth, "sal"),
			row("asks to help, the patient is asked", "Nora Begaye", "Nora Begaye asks to help you.", ruth, "nora"),
			row("shut out", "Rick Stone", "You have shut Rick Stone out for good.", ruth, "rick"),
			row("shut out, never had an account", "Glenn Harker", "You have shut Glenn Harker out for good.", ruth),
		},
	}
}

// letIn is what Ruth lets others see.
func (s *stage) letIn() {
	friend := func(relation, name, username string) string {
		return s.proofs(s.invites("ruth", relation, name, username))
	}
	all := []string{"medicines", "allergies", "results", "conditions", "visits", "plans", "notes"}
	some := []string{"medicines", "visits"}
	s.agrees("ruth", friend("SONC", "Wade Begaye", "wade"), s.in(180), some, []string{"schedule"}, false)
	s.shares("ruth", friend("SPS", "Thomas Begaye", "thomas"), s.in(300), all, []string{"download", "message", "schedule", "refill"})
	s.shares("ruth", friend("NBOR", "Iris Nez", "iris"), s.in(90), some, nil)
	near := friend("FRND", "Gail Ortiz", "gail")
	s.shares("ruth", near, s.in(10), []string{"medicines", "plans"}, []string{"refill"})
	s.does("gail", s.life.Ask, near)
	paused := friend("BRO", "Ray Begaye", "ray")
	s.shares("ruth", paused, s.in(120), some, nil)
	s.does("ruth", s.life.Pause, paused)
	held := friend("EXT", "Dale Benally", "dale")
	s.shares("ruth", held, s.in(60), all, []string{"message"})
	s.does("ruth", s.life.Worry, held)
}

// letGo is what has ended for Ruth.
func (s *stage) letGo() {
	s.shares("ruth", s.proofs(s.invites("ruth", "FRND", "Mona Tsosie", "mona")), s.clock.Now().Add(soonOver), []string{"visits"}, nil)
	ended := s.proofs(s.invites("ruth", "EXT", "Kurt Lane", "kurt"))
	s.shares("ruth", ended, s.in(200), []string{"medicines", "results"}, nil)
	s.as("ruth", func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Revoke(s.ctx, a, ended, false) })
	left := s.proofs(s.invites("ruth", "FRND", "Joy Manuelito", "joy"))
	s.shares("ruth", left, s.in(200), []string{"visits"}, []string{"schedule"})
	s.does("joy", s.life.Resign, left)
	refused := s.invites("ruth", "FRND", "Sal Price", "sal")
	s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) { return s.life.Reject(s.ctx, a, refused, "documents") })
}

// abbotts: a wife whose power of attorney two clinicians have put into effect, and a
// son who is named after her.
func abbotts() household {
	const record, of = "p01", "Harold Abbott"
	return household{
		people: []demoPerson{helperNamed("jean", "Jean Abbott"), helperNamed("mark", "Mark Abbott")},
		play: func(s *stage) {
			springs := proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerCapacity}
			wife := s.represents(record, "SPS", "Jean Abbott", "jean", springs)
			s.both(func(ctx context.Context, a lifecycle.Actor, id string) (proxy.Case, error) {
				return s.life.Determine(ctx, a, id, s.in(30), false)
			}, wife)
			springs.Place = 1
			s.represents(record, "SONC", "Mark Abbott", "mark", springs)
		},
		cases: []demoCase{
			{"Jean Abbott", of, "agent in effect, two clinicians signed, review in 30 days", "Jean Abbott helps Harold Abbott until", []string{"jean"}},
			{"Mark Abbott", of, "first to stand in, asleep", "Mark Abbott has a checked legal right", []string{"mark", "hale"}},
		},
	}
}

// johnsons: a power of attorney that sleeps while the patient decides; a paper that
// waits for the second person.
func johnsons() household {
	const loretta, record, of = "loretta", "p10", "Loretta Johnson"
	springs := proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerCapacity}
	return household{
		people: []demoPerson{patientNamed(loretta, of, record), helperNamed("andre", "Andre Johnson"), helperNamed("vera", "Vera Johnson")},
		play: func(s *stage) {
			s.represents(record, "SONC", "Andre Johnson", "andre", springs)
			s.attests(s.proofs(s.lists(record, "SIS", "Vera Johnson", "vera")), proxy.Authority{Kind: "DPOWATT", Trigger: proxy.TriggerImmediate})
		},
		cases: []demoCase{
			{"Andre Johnson", of, "agent whose paper sleeps", "Andre Johnson has a legal right that we have checked.", []string{loretta, "andre", "hale"}},
			{"Vera Johnson", of, "paper put in, waits for a second person", "We have checked who Vera Johnson is.", []string{loretta, "vera", "osei"}},
		},
	}
}

// patels: two agents who act only together, and one has asked for something.
func patels() household {
	const harish, record, of = "harish", "p11", "Harish Patel"
	return household{
		people: []demoPerson{patientNamed(harish, of, record), helperNamed("meena", "Meena Patel"), helperNamed("arjun", "Arjun Patel")},
		play: func(s *stage) {
			joint := proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate, Joint: true}
			wife := s.represents(record, "SPS", "Meena Patel", "meena", joint)
			son := s.represents(record, "SONC", "Arjun Patel", "arjun", joint)
			s.activates(wife)
			s.activates(son)
			s.as("meena", func(a lifecycle.Actor) (proxy.Case, error) {
				return proxy.Case{}, s.life.AskTogether(s.ctx, a, wife, "schedule")
			})
		},
		cases: []demoCase{
			{"Meena Patel", of, "one of two agents; has asked to change visits", "Meena Patel can see your whole record", []string{harish, "meena"}},
			{"Arjun Patel", of, "the other agent; must say yes or no", "Arjun Patel can see your whole record", []string{harish, "arjun"}},
		},
	}
}

// ivanovas: a guardian with a court date, an agent who is kept out on a ground of the
// law, and two reviews for staff to decide.
func ivanovas() household {
	const record, of = "p21", "Galina Ivanova"
	return household{
		people: []demoPerson{helperNamed("oleg", "Oleg Ivanov"), helperNamed("sonya", "Sonya Ivanova")},
		play: func(s *stage) {
			agent := s.represents(record, "DAUC", "Sonya Ivanova", "sonya", proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate})
			s.activates(agent)
			guardian := s.represents(record, "SPS", "Oleg Ivanov", "oleg", proxy.Authority{Kind: proxy.Guardian, Trigger: proxy.TriggerImmediate, Ends: s.in(120)})
			s.activates(guardian)
			s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) {
				return s.life.Hold(s.ctx, a, agent, s.law.GroundsAt(s.clock.Now())[0].ID)
			})
			s.as("hale", func(a lifecycle.Actor) (proxy.Case, error) {
				_, err := s.life.OpenDispute(s.ctx, a, guardian, agent)
				return proxy.Case{}, err
			})
		},
		cases: []demoCase{
			{"Oleg Ivanov", of, "guardian, with a court date in 120 days; a dispute is open", "Oleg Ivanov helps Galina Ivanova until", []string{"oleg", "osei"}},
			{"Sonya Ivanova", of, "agent who is kept out; a review is open", "The access of Sonya Ivanova for Galina Ivanova rests now.", []string{"sonya", "osei"}},
		},
	}
}

// fischers: a patient who has died.
func fischers() household {
	const record, of = "p26", "Otto Fischer"
	return household{
		people: []demoPerson{helperNamed("greta", "Greta Fischer"), helperNamed("anke", "Anke Fischer")},
		play: func(s *stage) {
			daughter := s.represents(record, "DAUC", "Greta Fischer", "greta", proxy.Authority{Kind: "HPOWATT", Trigger: proxy.TriggerImmediate})
			s.activates(daughter)
			s.both(s.life.Died, daughter)
			s.activates(s.represents(record, "SIS", "Anke Fischer", "anke", proxy.Authority{Kind: "EXCEST", Trigger: proxy.TriggerImmediate}))
		},
		cases: []demoCase{
			{"Greta Fischer", of, "after the death: reads what there was, for 30 days", "Greta Fischer can look at the record of Otto Fischer until", []string{"greta", "hale"}},
			{"Anke Fischer", of, "executor of the estate", "Anke Fischer helps Otto Fischer until", []string{"anke"}},
		},
	}
}

// marshes: the mother of a small child.
func marshes() household {
	return household{
		people: []demoPerson{helperNamed("julia", "Julia Marsh")},
		play: func(s *stage) {
			s.activates(s.represents("p40", "MTH", "Julia Marsh", "julia", proxy.Authority{Kind: proxy.Parent, Trigger: proxy.TriggerImmediate}))
		},
		cases: []demoCase{{"Julia Marsh", "Theo Marsh", "parent of a small child", "Julia Marsh helps Theo Marsh until", []string{"julia"}}},
	}
}

// noahs: a teenager has signed what a parent may see, and the parent has not.
func noahs() household {
	return household{
		people: []demoPerson{helperNamed("carl", "Carl Whitfield")},
		play: func(s *stage) {
			id := s.represents("noah", "FTH", "Carl Whitfield", "carl", proxy.Authority{Kind: proxy.Parent, Trigger: proxy.TriggerImmediate})
			s.as("noah", func(a lifecycle.Actor) (proxy.Case, error) {
				return s.life.Propose(s.ctx, a, id, proxy.Terms{Kinds: []string{"visits"}, Functions: []string{"message"}, Until: s.in(60)})
			})
		},
		cases: []demoCase{{"Carl Whitfield", "Noah Whitfield", "parent of a teenager; one of two signatures", "Carl Whitfield must still sign.", []string{"noah", "carl"}}},
	}
}
