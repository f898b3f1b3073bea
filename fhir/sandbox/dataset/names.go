package dataset

// nameOf is one name for a generated patient and the relative who cares for
// them. Families recur on purpose, so that a search by name finds several.
type nameOf struct {
	family, given, gender, relative, relation string
	heritage                                  int // index into heritages
}

var patientNames = [...]nameOf{
	{"Abbott", "Harold", "male", "Jean", "WIFE", 0}, {"Okafor", "Ngozi", "female", "Chidi", "SONC", 1},
	{"Lindqvist", "Astrid", "female", "Maja", "DAUC", 2}, {"Nguyen", "Minh", "male", "Lan", "DAUC", 3},
	{"Begaye", "Ruth", "female", "Thomas", "HUSB", 4}, {"Kowalski", "Stanley", "male", "Irena", "WIFE", 0},
	{"Haddad", "Samira", "female", "Karim", "SONC", 0}, {"O'Brien", "Maeve", "female", "Sean", "HUSB", 2},
	{"Johnson", "Clarence", "male", "Denise", "DAUC", 1}, {"Johnson", "Loretta", "female", "Andre", "SONC", 1},
	{"Patel", "Harish", "male", "Meena", "WIFE", 3}, {"Rasmussen", "Inge", "female", "Lars", "SONC", 0},
	{"Vang", "Mai", "female", "Tou", "HUSB", 3}, {"Peterson", "Gordon", "male", "Carol", "WIFE", 0},
	{"Garcia", "Lucía", "female", "Mateo", "SONC", 5}, {"Whitecloud", "Joseph", "male", "Anna", "DAUC", 4},
	{"Silva", "Antônio", "male", "Beatriz", "WIFE", 5}, {"Müller", "Helga", "female", "Dieter", "HUSB", 0},
	{"Brooks", "Walter", "male", "Yvonne", "DAUC", 0}, {"Tanaka", "Keiko", "female", "Hiro", "SONC", 3},
	{"Ivanova", "Galina", "female", "Oleg", "HUSB", 0}, {"Hassan", "Abdi", "male", "Fatima", "WIFE", 1},
	{"Murphy", "Eileen", "female", "Brigid", "DAUC", 2}, {"Reyes", "Manuel", "male", "Carmen", "WIFE", 5},
	{"Carter", "Dorothy", "female", "Alan", "SONC", 0}, {"Fischer", "Otto", "male", "Greta", "DAUC", 0},
	{"Yang", "Xiu", "female", "Wei", "SONC", 3}, {"Larsen", "Erik", "male", "Sofie", "WIFE", 0},
	{"Robinson", "Edna", "female", "Marvin", "SONC", 1}, {"Dubois", "Henri", "male", "Claire", "DAUC", 0},
	{"Martinez", "Pilar", "female", "Jorge", "HUSB", 5}, {"Novak", "Josef", "male", "Eva", "WIFE", 0},
	{"Anderson", "Beverly", "female", "Kyle", "SONC", 0}, {"Ahmed", "Yusuf", "male", "Amina", "DAUC", 1},
	{"Schmidt", "Ursula", "female", "Karl", "HUSB", 0}, {"Bell", "Raymond", "male", "Tanya", "DAUC", 1},
	{"Olson", "Marjorie", "female", "Peter", "SONC", 0}, {"Kim", "Sung", "male", "Hana", "WIFE", 3},
	{"Foster", "Lillian", "female", "Grace", "DAUC", 4}, {"Marsh", "Theo", "male", "Julia", "MTH", 0},
}

// relations maps a v3-RoleCode to its display and the gender it implies.
var relations = map[string]struct{ display, gender string }{
	"WIFE": {"wife", "female"}, "HUSB": {"husband", "male"},
	"SONC": {"son", "male"}, "DAUC": {"daughter", "female"}, "MTH": {"mother", "female"},
}

// streets and towns give every household an address of its own.
var streets = [...]string{
	"Superior Street", "Woodland Avenue", "Grand Avenue", "Tischer Road", "Skyline Parkway",
	"London Road", "Arrowhead Road", "Haines Road", "Lester River Road", "Piedmont Avenue",
}

var towns = [...]struct{ city, zip string }{
	{"Duluth", "55802"}, {"Hermantown", "55811"}, {"Proctor", "55810"}, {"Two Harbors", "55616"}, {"Cloquet", "55720"},
}

// heritage is one OMB race, the detailed race, and an ethnicity.
type heritage struct{ race, raceName, detailed, detailedName, ethnicity, ethnicityName string }

var heritages = [...]heritage{
	{"2106-3", "White", "2114-7", "Italian", "2186-5", "Not Hispanic or Latino"},
	{"2054-5", "Black or African American", "2058-6", "African American", "2186-5", "Not Hispanic or Latino"},
	{"2106-3", "White", "2113-9", "Irish", "2186-5", "Not Hispanic or Latino"},
	{"2028-9", "Asian", "2047-7", "Vietnamese", "2186-5", "Not Hispanic or Latino"},
	{"1002-5", "American Indian or Alaska Native", "1088-4", "Chippewa", "2186-5", "Not Hispanic or Latino"},
	{"2131-1", "Other Race", "2131-1", "Other Race", "2135-2", "Hispanic or Latino"},
}

// latino is the index of the heritage of the people in the examples.
const latino = 5
