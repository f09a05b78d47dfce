export class View {
  render(): string {
    return "<p>view</p>";
  }
}
