program main
  use helper
  implicit none
  character(len=1000) :: mode, word, line
  character(len=:), allocatable :: text
  type block
    integer, allocatable :: values(:)
  end type block
  type(block), allocatable :: kept(:)
  integer :: i, length, status

  call get_command_argument(1, mode)
  select case (trim(mode))
  case ("ordinary")
    print '(a)', "hello"
    text = ""
    do i = 2, command_argument_count()
      call get_command_argument(i, word, length)
      if (i > 2) text = text // "|"
      text = text // word(1:length)
    end do
    print '(a)', text
    open(unit=10, file="data/in.txt", action="read")
    call copy(10)
    print '(a)', greeting()
    call copy(5)
    stop 3
  case ("raise")
    error stop "boom é"
  case ("sleep")
    print '(a)', "before"
    flush(6)
    call sleep(60)
  case ("memory")
    allocate(kept(100000))
    do i = 1, 100000
      allocate(kept(i)%values(262144))
      kept(i)%values = i
    end do
  case default
    do
      print '(a)', "floodfloodfloodfloodfloodfloodfloodfloodfloodflood"
    end do
  end select
contains
  subroutine copy(unit)
    integer, intent(in) :: unit
    do
      read(unit, '(a)', iostat=status) line
      if (status /= 0) exit
      print '(a)', trim(line)
    end do
  end subroutine copy
end program main
