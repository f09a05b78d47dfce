package sub

object Helper {
  def größe = "héllo ☃ from sub"
}
