program numeric
  implicit none
  real(8) :: a(3, 3), x(3)
  integer :: i
  a = reshape([2d0, 0d0, 0d0, 0d0, 3d0, 0d0, 0d0, 0d0, 4d0], [3, 3])
  x = matmul(a, [1d0, 2d0, 3d0])
  print '(3f6.1)', x
  do i = 1, 3
    x(i) = x(i) * 2
  end do
  print '(f6.2,1x,i0)', sum(x), count(x > 5)
end program numeric
! Output:
!    2.0   6.0  12.0
!  40.00 2
