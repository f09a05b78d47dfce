package sub

func Greeting() string {
	return "héllo ☃ from sub"
}
