package consent

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/conformance/kit"
)

// beside files another Consent beside the story's, looks at what the daughter gets,
// and withdraws it.
func beside(ctx context.Context, t *kit.Target, change func(document), look func(nothing bool, g *kit.Grant)) (err error) {
	first, err := active(ctx, t, "rosa", daughter)
	if err != nil {
		return err
	}
	id, res, err := fileCopy(ctx, t, first, change)
	if err != nil {
		return err
	}
	if res.Status >= http.StatusMultipleChoices {
		return fmt.Errorf("it is not filed: %s %s", res, res.Body)
	}
	defer func() {
		if _, failed := admin(ctx, t, http.MethodPost, "/consents/"+id+"/withdraw", nil); err == nil {
			err = failed
		}
	}()
	g, failed := elenaFor(ctx, t, "rosa")
	look(failed != nil, g)
	return nil
}

func rule(code string) many {
	return many{thing{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}}
}

func prohibition(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.Note(beside(ctx, t, func(d document) {
		d["policyRule"] = thing{"coding": rule("OPTOUT")}
		delete(d.root(), "provision")
	}, func(nothing bool, _ *kit.Grant) {
		c.That(nothing, "a prohibition that holds permits opens something")
	}))
	_, err := elenaFor(ctx, t, "rosa")
	c.Note(err)
	return c.Err()
}

func ownException(ctx context.Context, t *kit.Target) error {
	var before []string
	g, err := elenaFor(ctx, t, "rosa")
	if err != nil {
		return err
	}
	before = types(g)
	slices.Sort(before)
	var c kit.Check
	c.Note(beside(ctx, t, exception, func(nothing bool, g *kit.Grant) {
		if !c.That(!nothing, "a second grant takes everything") {
			return
		}
		for _, typ := range before {
			c.That(slices.Contains(types(g), typ), "a second grant takes %s", typ)
		}
		res, err := t.FHIR(ctx, g.Access(), "AllergyIntolerance?patient=rosa")
		if c.Note(err) {
			c.That(res.Status == http.StatusOK && len(res.Entries()) > 0, "what one grant excepts the other does not give: %s", res)
		}
	}))
	return c.Err()
}

// dissent is a patient who lets nobody see but in an emergency (T32).
func dissent(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.Note(beside(ctx, t, func(d document) {
		d["policyRule"] = thing{"coding": rule("OPTOUTE")}
		d["provision"] = thing{"type": "deny", "provision": many{thing{
			"type": "permit", "purpose": many{thing{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "BTG"}},
		}}}
	}, func(nothing bool, _ *kit.Grant) { c.That(nothing, "a patient's dissent lets the daughter in") }))
	_, err := elenaFor(ctx, t, "rosa")
	c.Note(err)
	return c.Err()
}

func firstEnd(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	under(ctx, t, &c, func(d document) {
		period, _ := d.root()["period"].(map[string]any)
		period["end"] = t.Now().Add(90e9).UTC().Format("2006-01-02T15:04:05Z")
	}, func(nothing bool, g *kit.Grant) {
		if c.That(!nothing, "a Consent of ninety seconds permits nothing") {
			life, _ := g.JSON()["expires_in"].(float64)
			c.That(life > 0 && life <= 90, "the token lives %v seconds", life)
		}
	})
	return c.Err()
}
