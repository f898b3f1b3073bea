package app

import (
	"strings"
	"time"
	_ "time/tzdata" // days begin where people live, whatever the machine knows

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/internal/config"
)

// LifeConfig says what law and place decide about people who help with a record.
type LifeConfig struct {
	// TimeZone is where the days of patients begin and end.
	TimeZone string `name:"time-zone" default:"UTC" help:"Time zone of the patients, such as America/Chicago: where their days begin and end (default ${default})." placeholder:"ZONE"`
	// Jurisdiction is whose rules hold; LawPacks is a folder of further packs.
	Jurisdiction string `name:"jurisdiction" default:"US" help:"Jurisdiction whose rules hold, such as US-CA (default ${default}); see mandate packs list." placeholder:"CODE"`
	LawPacks     string `name:"law-packs" help:"Folder with jurisdiction packs (*.json); one of the same jurisdiction replaces that which comes with the program." placeholder:"DIR" type:"existingdir"`
	// Bereavement is for how many days those who helped can look at what there was.
	Bereavement int `name:"bereavement-days" default:"30" help:"For how many days after a death those who helped can look at what there was (default ${default}); 0 closes at once." placeholder:"N"`
}

// validate notes the faults of the settings.
func (c *LifeConfig) validate(f *config.Faults) {
	if _, err := time.LoadLocation(c.TimeZone); err != nil || c.TimeZone == "Local" {
		f.Add("time_zone", "%q is no time zone such as America/Chicago", c.TimeZone)
	}
	if book, err := c.book(); err != nil {
		for line := range strings.Lines(err.Error()) {
			f.Add("law_packs", "%s", strings.TrimSpace(line))
		}
	} else if _, err := c.lawOf(book); err != nil {
		f.Add("jurisdiction", "%v", err)
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

// consents gives what the engine of Consents must know of the place. Who left the zone
// at UTC has not said where the patients live: then what a Consent writes counts.
func (c *LifeConfig) consents() consent.Options {
	if z := c.zone(); z != time.UTC {
		return consent.Options{Zone: z}
	}
	return consent.Options{}
}
