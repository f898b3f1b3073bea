package dataset

// Observation categories (SMART US-18).
var (
	catLab       = code{sysObsCat, "laboratory", "Laboratory"}
	catVital     = code{sysObsCat, "vital-signs", "Vital Signs"}
	catSocial    = code{sysObsCat, "social-history", "Social History"}
	catSurvey    = code{sysObsCat, "survey", "Survey"}
	catProcedure = code{sysObsCat, "procedure", "Procedure"}
)

// observation is what one Observation says besides its value.
type observation struct {
	id, profile string
	cats        []code
	what        []code
	v           visit
	label       label
	performer   reference
	specimen    string // Specimen id, or empty
	pinned      bool
	value       func(d *doc) // writes value[x], component and what follows
}

// observe writes one final Observation.
func (g *gen) observe(p *person, o observation) {
	write := g.writer(o.pinned)
	if o.label.conf == "" {
		o.label = normal
	}
	if o.performer.id == "" {
		o.performer = p.doctor()
	}
	write("Observation", o.id, meta{o.v.at, o.profile, o.label}, func(d *doc) {
		d.str("status", "final")
		d.concepts("category", o.cats...)
		d.concept("code", o.what...)
		d.refTo("subject", p.ref())
		if o.v.id != "" {
			d.ref("encounter", "Encounter", o.v.id)
		}
		d.str("effectiveDateTime", o.v.stamp)
		d.str("issued", o.v.stamp)
		d.oneRef("performer", o.performer)
		o.value(d)
		if o.specimen != "" {
			d.ref("specimen", "Specimen", o.specimen)
		}
	})
}

// dataAbsent says why there is no value.
func (d *doc) dataAbsent(c, display string) {
	d.concept("dataAbsentReason", code{term + "data-absent-reason", c, display})
}
