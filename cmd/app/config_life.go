package app

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // days begin where people live, whatever the machine knows

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/proxy"
)

// LifeConfig says what law and place decide about people who help with a record.
type LifeConfig struct {
	// TimeZone is where the days of patients begin and end.
	TimeZone string `name:"time-zone" default:"UTC" help:"Time zone of the patients, such as America/Chicago: where their days begin and end (default ${default})." placeholder:"ZONE"`
	// Jurisdiction is whose rules about minors hold.
	Jurisdiction string `name:"jurisdiction" default:"US" help:"Jurisdiction whose rules about minors hold, such as US-CA (default ${default})." placeholder:"CODE"`
	// Bereavement is for how many days those who helped can look at what there was.
	Bereavement int `name:"bereavement-days" default:"30" help:"For how many days after a death those who helped can look at what there was (default ${default}); 0 closes at once." placeholder:"N"`
}

// validate notes the faults of the settings.
func (c *LifeConfig) validate(f *config.Faults) {
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
		f.Add("time_zone", "%q is no time zone such as America/Chicago", c.TimeZone)
	}
	ages, err := proxy.ShippedAges()
	if err != nil {
		f.Add("jurisdiction", "%v", err)
	} else if known := ages.Jurisdictions(); !slices.Contains(known, c.jurisdiction()) {
		f.Add("jurisdiction", "%q has no rules about minors; these have: %s", c.Jurisdiction, strings.Join(known, ", "))
	}
	if c.Bereavement < 0 || c.Bereavement > maxBereavement {
		f.Add("bereavement_days", "%d is not between 0 and %d", c.Bereavement, maxBereavement)
	}
}

// maxBereavement is the longest in days.
const maxBereavement = 365

// jurisdiction gives the one that holds.
func (c *LifeConfig) jurisdiction() string {
	if c.Jurisdiction == "" {
		return "US"
	}
	return c.Jurisdiction
}

// zone gives the time zone; it was checked before.
func (c *LifeConfig) zone() *time.Location {
	if z, err := time.LoadLocation(c.TimeZone); err == nil {
		return z
	}
	return time.UTC
}
