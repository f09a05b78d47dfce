program bad; implicit none; print *, x; end program bad
