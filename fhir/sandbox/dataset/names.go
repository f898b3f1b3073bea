package dataset

// nameOf is one name for a generated patient and the relative who cares for
// them. Families recur on purpose, so that a search by name finds several.
type nameOf struct{ family, given, gender, relative, relation string }

var patientNames = [...]nameOf{
	{"Abbott", "Harold", "male", "Jean", "WIFE"}, {"Okafor", "Ngozi", "female", "Chidi", "SONC"},
	{"Lindqvist", "Astrid", "female", "Maja", "DAUC"}, {"Nguyen", "Minh", "male", "Lan", "DAUC"},
	{"Begaye", "Ruth", "female", "Thomas", "HUSB"}, {"Kowalski", "Stanley", "male", "Irena", "WIFE"},
	{"Haddad", "Samira", "female", "Karim", "SONC"}, {"O'Brien", "Maeve", "female", "Sean", "HUSB"},
	{"Johnson", "Clarence", "male", "Denise", "DAUC"}, {"Johnson", "Loretta", "female", "Andre", "SONC"},
	{"Patel", "Harish", "male", "Meena", "WIFE"}, {"Rasmussen", "Inge", "female", "Lars", "SONC"},
	{"Vang", "Mai", "female", "Tou", "HUSB"}, {"Peterson", "Gordon", "male", "Carol", "WIFE"},
	{"Garcia", "Lucía", "female", "Mateo", "SONC"}, {"Whitecloud", "Joseph", "male", "Anna", "DAUC"},
	{"Silva", "Antônio", "male", "Beatriz", "WIFE"}, {"Müller", "Helga", "female", "Dieter", "HUSB"},
	{"Brooks", "Walter", "male", "Yvonne", "DAUC"}, {"Tanaka", "Keiko", "female", "Hiro", "SONC"},
	{"Ivanova", "Galina", "female", "Oleg", "HUSB"}, {"Hassan", "Abdi", "male", "Fatima", "WIFE"},
	{"Murphy", "Eileen", "female", "Brigid", "DAUC"}, {"Reyes", "Manuel", "male", "Carmen", "WIFE"},
	{"Carter", "Dorothy", "female", "Alan", "SONC"}, {"Fischer", "Otto", "male", "Greta", "DAUC"},
	{"Yang", "Xiu", "female", "Wei", "SONC"}, {"Larsen", "Erik", "male", "Sofie", "WIFE"},
	{"Robinson", "Edna", "female", "Marvin", "SONC"}, {"Dubois", "Henri", "male", "Claire", "DAUC"},
	{"Martinez", "Pilar", "female", "Jorge", "HUSB"}, {"Novak", "Josef", "male", "Eva", "WIFE"},
	{"Anderson", "Beverly", "female", "Kyle", "SONC"}, {"Ahmed", "Yusuf", "male", "Amina", "DAUC"},
	{"Schmidt", "Ursula", "female", "Karl", "HUSB"}, {"Bell", "Raymond", "male", "Tanya", "DAUC"},
	{"Olson", "Marjorie", "female", "Peter", "SONC"}, {"Kim", "Sung", "male", "Hana", "WIFE"},
	{"Foster", "Lillian", "female", "Grace", "DAUC"}, {"Marsh", "Theo", "male", "Julia", "MTH"},
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
}

// latina is the heritage of the people in the examples.
var latina = heritage{"2131-1", "Other Race", "2131-1", "Other Race", "2135-2", "Hispanic or Latino"}
