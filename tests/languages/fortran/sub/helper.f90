module helper
  implicit none
contains
  function greeting() result(text)
    character(len=:), allocatable :: text
    text = "héllo ☃ from sub"
  end function greeting
end module helper
