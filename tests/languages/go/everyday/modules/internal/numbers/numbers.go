package numbers

func Sum[T int | float64](values ...T) (sum T) {
	for _, value := range values {
		sum += value
	}
	return
}
